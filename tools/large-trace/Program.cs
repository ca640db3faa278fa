using NativeHeap.Fixtures;

if (args is not [var path])
{
    Console.Error.WriteLine("usage: large-trace FILE");
    return 2;
}

LargeTrace.Write(path);
return 0;
