using System.CommandLine;
using System.CommandLine.Parsing;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary><c>run</c>: a command under the shim, one trace for it and its descendants.</summary>
internal static class RunVerb
{
    private static readonly RecordingOptions Options = new(
        "Whether processes that the command starts are recorded, too (default yes).");

    private static readonly Option<bool> WaitForChildren = new("--wait-children")
    {
        Description = "Record until the last of them has ended, not just the command.",
    };

    private static readonly Argument<string[]> Command = new("COMMAND")
    {
        Description = "The command and its arguments, after --.",
        Arity = ArgumentArity.OneOrMore,
    };

    public static Verb Create()
    {
        var verb = new Verb(
            "run",
            "Runs a command and records where its native memory goes.",
            "nativeheap run -- python3 script.py",
            "nativeheap run -o server.nheap --plot heap.png -- ./server --port 8080",
            "nativeheap run --sample 512KiB -- ./server --port 8080",
            "nativeheap run --mmap -- ./server --port 8080",
            "nativeheap run --max-overhead 20% -- ./server --port 8080")
        {
            WaitForChildren, Command,
        };
        Options.AddTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult result) => new RunCommand
    {
        Command = CommandOf(result, Command, "run"),
        Output = Options.Output(result),
        Force = Options.Force(result),
        Picture = Options.Picture(result),
        Options = Options.Session(result) with { WaitForChildren = result.GetValue(WaitForChildren) },
    }.Run();

    // The supervisor takes the command from the end of its own arguments, byte for byte: it must be whatever follows
    // the first -- and nothing else.
    internal static List<string> CommandOf(ParseResult result, Argument<string[]> argument, string verb)
    {
        var command = result.Tokens.SkipWhile(token => token.Type != TokenType.DoubleDash).Skip(1)
            .Select(token => token.Value).ToList();
        if (command.Count == 0 || command.Count != result.GetValue(argument)!.Length)
        {
            var words = result.GetValue(argument)!;
            throw new ToolException(
                words[0].StartsWith('-')
                    ? $"there is no option {words[0]}; see nativeheap {verb} --help"
                    : $"put -- before the command, as in: nativeheap {verb} -- {string.Join(' ', words)}",
                ExitCodes.Usage);
        }
        return command;
    }
}
