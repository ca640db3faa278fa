using System.CommandLine;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary><c>snapshot</c>: marks a point in a running trace.</summary>
internal static class SnapshotVerb
{
    public static Verb Create()
    {
        var pid = new Option<int>("--pid", "-p")
        {
            HelpName = "PID",
            Description = "A process that is being recorded.",
            Required = true,
        };
        var name = new Option<string?>("--name")
        {
            HelpName = "NAME",
            Description = "What the point is called; without it, it has a number.",
        };
        var verb = new Verb(
            "snapshot",
            "Marks a point in a running trace, to be read as TRACE@NAME from then on.",
            "nativeheap snapshot -p 4711 --name before")
        {
            pid, name,
        };
        verb.SetAction(result =>
        {
            var taken = ControlClient.TakeSnapshot(result.GetValue(pid), NonEmpty(result.GetValue(name)));
            Console.Out.WriteLine(taken);
            Messages.Say($"read it as TRACE@{taken}, for example: nativeheap report TRACE@{taken}");
            return ExitCodes.Success;
        });
        return verb;
    }

    private static string? NonEmpty(string? name) => name is not null && (name.Length == 0 || name.Any(char.IsControl))
        ? throw new ToolException("a snapshot's name must not be empty and has no control characters", ExitCodes.Usage)
        : name;
}
