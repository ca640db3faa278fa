using System.CommandLine;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;
using NativeHeap.Model;

namespace NativeHeap.Cli;

internal static class Program
{
    private static readonly char[] s_gaps = [' ', '\t', '\n', '\r'];

    // They go by the registers, the system calls and the calls of x86-64.
    private static readonly string[] s_boundToProcessor = ["attach", "detach", "check", "objects", "refs"];

    // One file a verb; each has a Create().
    private static Verb[] Verbs() =>
    [
        RunVerb.Create(),
        AttachVerb.Create(),
        DetachVerb.Create(),
        CheckVerb.Create(),
        ReportVerb.Create(),
        DiffVerb.Create(),
        LinesVerb.Create(),
        ExportVerb.Create(),
        PlotVerb.Create(),
        SqlVerb.Create(),
        ObjectsVerb.Create(),
        RefsVerb.Create(),
        SnapshotVerb.Create(),
        TopVerb.Create(),
        PauseVerb.Create(),
        ResumeVerb.Create(),
        SampleVerb.Create(),
        ListenVerb.Create(),
        ConvertVerb.Create(),
        DemoVerb.Create(),
        DoctorVerb.Create(),
    ];

    private static int Main(string[] args)
    {
        try
        {
            return Invoke(args);
        }
        catch (ToolException error)
        {
            Messages.Error(error.Message);
            return error.ExitCode;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Messages.Error("a fault of NativeHeap itself: " + error);
            return ExitCodes.Fault;
        }
    }

    private static int Invoke(string[] args)
    {
        var root = new RootCommand("Finds native memory that grows where no tool can see.");
        foreach (var verb in Verbs())
        {
            root.Add(verb);
        }
        Verb.ShowExamples(root);

        // A trace may be called @something, and a command line after -- is nobody's response file.
        var result = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Action is ParseErrorAction && result.Errors.Count > 0)
        {
            Messages.Error(string.Join(' ', result.Errors[0].Message.Split(s_gaps, StringSplitOptions.RemoveEmptyEntries)));
            Messages.Say($"see nativeheap {HelpPath(result.CommandResult.Command)}--help");
            return ExitCodes.Usage;
        }
        var verbName = result.CommandResult.Command.Name;
        if (result.Action == result.CommandResult.Command.Action && s_boundToProcessor.Contains(verbName)
            && RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            throw new ToolException(
                $"'{verbName}' is for x86-64; on this machine programs are recorded with run, listen or NATIVEHEAP_OUT",
                ExitCodes.Target);
        }
        return result.Invoke(new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        });
    }

    private static string HelpPath(Command command) => command is RootCommand ? "" : command.Name + " ";
}
