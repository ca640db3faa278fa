using System.Globalization;
using Truth;
using Truth.Contexts;

// dotnet-truth LIBRARY FILE BLOCKS load|idle: allocates at least BLOCKS native blocks through every context that managed
// code can stand in, and says in FILE what the runtime's own StackTrace thinks of each. With "load", other threads keep
// the garbage collector busy meanwhile. Then keeps the blocks, writes its pid into FILE.ready and ends when its standard
// input does.
var (library, file, blocks) = (args[0], args[1], int.Parse(args[2], CultureInfo.InvariantCulture));
Native.Load(library);
Ledger.Open(file);
using (var load = args[3] == "load" ? new CollectorLoad() : null)
{
    for (var round = 0; Ledger.Blocks < blocks; round++)
    {
        JitCode.Run(round);
        Framework.Run(round);
        Interop.Run(round);
        Generics.Run(round);
        MadeAtRunTime.Run(round);
        Exceptions.Run(round);
        Reflected.Run(round);
        Threads.Run(round);
        await Asynchronous.Run(round);
    }
}
Ledger.Close();
foreach (var (kind, count) in Ledger.Kinds.OrderBy(pair => pair.Key, StringComparer.Ordinal))
{
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kind} {count}"));
}
File.WriteAllText(file + ".new", Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
File.Move(file + ".new", file + ".ready", overwrite: true);
Console.WriteLine("READY");
Console.In.ReadLine();
