using System.Globalization;
using System.Runtime.CompilerServices;
using Allocations;

// dotnet-allocations LIBRARY ways ROUNDS | flow ROUNDS | libraries | mappings: allocates in every way that .NET has, known sums under methods of
// known names (Ways.cs), in calls that share statements (Flow.cs), by mapping (Mappings.cs: 20 of 1 MiB are kept, 20 given back), or whatever libraries need (Libraries.cs). For each way it prints "NAME BLOCKS SUM", SUM being
// what was requested of the allocator, in bytes; all blocks stay.
if (args[1] == "libraries")
{
    Libraries.Compress();
    Libraries.Encrypt();
    Libraries.TalkTls();
    Libraries.Collate();
    Libraries.QuerySqlite();
    Libraries.Draw();
    return;
}
if (args[1] == "mappings")
{
    for (var round = 0; round < 20; round++)
    {
        Mappings.Keep();
        Mappings.GiveBack();
    }
    return;
}
var rounds = int.Parse(args[2], CultureInfo.InvariantCulture);
if (args[1] == "flow")
{
    for (var round = 0; round < rounds; round++)
    {
        Flow.Run(round);
        Thread.Sleep(round % 100 == 0 ? 1 : 0); // methods are compiled again meanwhile
    }
    return;
}
var index = 0;
foreach (var (name, (way, requests)) in Ways.All)
{
    way(1); // what a first call needs
    ulong sum = 0;
    for (var round = 0; round < rounds; round++)
    {
        var bytes = (nuint)(100 + index * 7 + round % 50);
        Measured(way, bytes);
        sum += requests(bytes);
    }
    index++;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} {rounds} {sum}"));
}

[MethodImpl(MethodImplOptions.NoInlining)]
static void Measured(Func<nuint, nint> way, nuint bytes)
{
    way(bytes);
    GC.KeepAlive(way);
}
