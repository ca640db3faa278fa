using System.CommandLine;
using System.Globalization;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Present.Plots;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>refs</c>: who holds an object or a block.</summary>
internal static class RefsVerb
{
    private static readonly Argument<string[]> Target = new("TARGET")
    {
        Description = "A core dump (without -p), and the address of an object or block (without --type).",
        Arity = new ArgumentArity(0, 2),
    };

    private static readonly Option<string?> Type = new("--type")
    {
        HelpName = "TYPE",
        Description = "The largest object of a type that anybody holds.",
    };

    private static readonly Option<int?> LeakNumber = Quantities.NumberOption(
        "--leak", "N", "The N-th leak of the last heap-check of the process's recording, or of a trace.");

    private static readonly SuppressionOptions Suppressions = new(
        "With --leak: what the check was given, for suppressed leaks have no number.", "With --leak: what the check was given (default yes).");

    private static readonly Option<string?> Stack = new("--stack")
    {
        HelpName = "FUNCTION",
        Description = "A live native block of the stack that holds most bytes among those in which a function of this name, or a part of it, "
            + "stands (of a recorded process or a snapshot).",
    };

    private static readonly Option<string?> Output = new("--output", "-o")
    {
        HelpName = "FILE.svg",
        Description = "Draw it, too: types, sizes, and the field on each arrow.",
    };

    private static readonly Option<bool> Force = new("--force") { Description = "Replace an existing file." };

    private static readonly Option<int?> All = Quantities.NumberOption("--all", "N", "Up to N ways to it, the shortest first (default 1).");

    private static readonly Option<bool> Json = new("--json") { Description = "Write JSON for scripts." };

    public static Verb Create()
    {
        var verb = new Verb(
            "refs",
            "Shows who holds an object or a native block: the chain of references from a root to it.",
            "nativeheap refs -p 4711 0x7f3e5c001b20",
            "nativeheap refs -p 4711 --leak 1 -o chain.svg",
            "nativeheap refs -p 4711 --stack Receipt.Print",
            "nativeheap refs core.4711 --type Shop.Order --all 3")
        {
            Target, HeapTarget.PidOption, Type, LeakNumber, Suppressions.Files, Suppressions.Default, Stack, All, Output, Force, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult result)
    {
        var words = new Queue<string>(result.GetValue(Target)!);
        var pid = result.GetValue(HeapTarget.PidOption);
        var target = HeapTarget.Read(pid, pid is null && words.Count > 0 ? words.Dequeue() : null, "refs");
        var question = new RefsQuestion
        {
            Address = words.Count > 0 ? Address(words.Dequeue()) : null,
            Type = result.GetValue(Type),
            Leak = result.GetValue(LeakNumber),
            Suppressions = Suppressions.Read(result),
            Stack = result.GetValue(Stack),
            Most = result.GetValue(All) ?? 1,
        };
        if (words.Count > 0 || question.Ways != 1)
        {
            throw new ToolException("give the address of an object or block, or --type TYPE, --leak N or --stack FUNCTION", ExitCodes.Usage);
        }

        if (question.Most < 1)
        {
            throw new ToolException("--all is at least 1", ExitCodes.Usage);
        }

        var file = PlanDrawing(result);
        var answer = target.IsTrace ? question.AskTrace(TraceReference.Parse(target.Path!)) : question.AskPicture(target);
        Show(answer, file, result.GetValue(Json));
        return ExitCodes.Success;
    }

    private static OutputFile? PlanDrawing(ParseResult result) => result.GetValue(Output) is not { } path ? null
        : path.EndsWith(".svg", StringComparison.OrdinalIgnoreCase) ? OutputFile.Plan(path, result.GetValue(Force))
        : throw new ToolException($"{path} must end in .svg", ExitCodes.Usage);

    private static ulong Address(string text)
    {
        var digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text[2..] : text;
        return ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var address)
            ? address
            : throw new ToolException($"'{text}' is no address; one looks like 0x7f3e5c001b20", ExitCodes.Usage);
    }

    private static void Show(RefsAnswer answer, OutputFile? file, bool isJson)
    {
        foreach (var note in answer.Notes)
        {
            Messages.Warn(note);
        }

        if (isJson)
        {
            using var output = Console.OpenStandardOutput();
            HoldersJson.Write(output, answer.Holders, answer.Frames, answer.Notes, answer.Times);
        }
        else
        {
            using var output = new StreamWriter(Console.OpenStandardOutput(), bufferSize: 1 << 16);
            HoldersText.Write(TextCanvas.ForStandardOutput(output), answer.Holders, answer.Frames);
        }

        file?.Write(stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true);
            writer.Write(HolderPicture.Draw(answer.Holders, HolderPicture.FindGraphviz()));
        });
    }
}
