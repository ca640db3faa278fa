using System.Diagnostics;
using NativeHeap.Analysis;
using NativeHeap.Collect.Launching;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>
/// <c>demo</c>: the sample .NET service with a leak (tools/demo), recorded, reported and drawn. Does what a user would type:
/// <c>run</c>, then <c>report</c>. Files of an earlier demo are replaced: they are its own.
/// </summary>
internal static class DemoVerb
{
    private const string Trace = "order_service.nheap";
    private const string Picture = "heap.png";
    private const int Stacks = 3;

    public static Verb Create()
    {
        var verb = new Verb(
            "demo",
            $"Records a sample service with a leak, prints the report, writes {Picture} and {Trace} into this folder.",
            "tools/nativeheap demo");
        verb.SetAction(_ => Run());
        return verb;
    }

    private static int Run()
    {
        var files = NativeFiles.Locate(AppContext.BaseDirectory);
        var sample = Path.Combine(files.Folder, "demo", "order_service.dll");
        if (!File.Exists(sample) || !File.Exists(files.Launcher))
        {
            throw new ToolException($"{sample} is not built; tools/nativeheap demo builds it", ExitCodes.Target);
        }
        string[] command = ["run", "-o", Trace, "--force", "--plot", Picture, "--", "dotnet", Path.GetRelativePath(".", sample)];
        Messages.Say($"nativeheap {string.Join(' ', command)}");
        var code = RunUnderSupervisor(files, command);
        if (code != ExitCodes.Success)
        {
            return code;
        }
        Messages.Say($"nativeheap report {Trace} --top {Stacks}");
        ReportVerb.Print(Trace, new StackQuestion { Top = Stacks }, json: false);
        return ExitCodes.Success;
    }

    // As tools/nativeheap does it, with our own streams.
    private static int RunUnderSupervisor(NativeFiles files, string[] command)
    {
        using var supervisor = Process.Start(new ProcessStartInfo(files.Launcher, [.. Ourselves.Command, .. command]))!;
        supervisor.WaitForExit();
        return supervisor.ExitCode;
    }
}
