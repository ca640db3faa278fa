using System.CommandLine;

namespace NativeHeap.Cli;

internal static class Program
{
    private static int Main(string[] args)
    {
        var root = new RootCommand("Finds native memory that grows where no tool can see.");
        return root.Parse(args).Invoke();
    }
}
