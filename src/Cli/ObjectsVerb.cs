using System.CommandLine;
using NativeHeap.Managed.Heaps;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>objects</c>: live objects by type.</summary>
internal static class ObjectsVerb
{
    private const int TopForPeople = 20;

    private static readonly Argument<string?> Target = new("TARGET")
    {
        Description = "A core dump, or a snapshot of a trace (TRACE@NAME).",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Type = new("--type")
    {
        HelpName = "TYPE",
        Description = "List the objects of one type, named as the table names it.",
    };

    private static readonly Option<string?> Growth = new("--growth")
    {
        HelpName = "TRACE@S",
        Description = "What grew since a snapshot; without one, since the snapshot before.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Where = new("--where")
    {
        HelpName = "EXPR",
        Description = "Only .NET objects with a field of a value, such as \"_disposed == true\"; also !=, <, <=, >, >=.",
    };

    private static readonly Option<bool> Disposed = new("--disposed")
    {
        Description = "Only .NET objects that are disposed, by the usual names of the field that says so, and that the program can still reach.",
    };

    private static readonly Option<bool> Undisposed = new("--undisposed")
    {
        Description = "Only SafeHandles that the program cannot reach any more and never disposed: they wait for the finalizer.",
    };

    private static readonly Option<int?> Top = Quantities.NumberOption("--top", "N", "Rows of each table (default 20).");

    private static readonly Option<bool> Json = new("--json") { Description = "Write JSON for scripts." };

    public static Verb Create()
    {
        var verb = new Verb(
            "objects",
            "Counts the objects of a process by type: .NET objects, C++ objects and other native blocks.",
            "nativeheap objects -p 4711",
            "nativeheap objects core.4711 --type System.String",
            "nativeheap objects -p 4711 --growth",
            "nativeheap objects server.nheap@after --growth=server.nheap@before",
            "nativeheap objects -p 4711 --where \"_state == 3\"")
        {
            Target, HeapTarget.PidOption, Growth, Type, Where, Disposed, Undisposed, Top, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult result)
    {
        var target = HeapTarget.Read(result.GetValue(HeapTarget.PidOption), result.GetValue(Target), "objects");
        var top = result.GetValue(Top) ?? TopForPeople;
        if (top < 1)
        {
            throw new ToolException("--top is at least 1", ExitCodes.Usage);
        }

        var question = new ObjectsQuestion
        {
            Type = result.GetValue(Type),
            Condition = Condition(result),
            IsReached = result.GetValue(Disposed) ? true : result.GetValue(Undisposed) ? false : null,
            IsGrowth = result.GetResult(Growth) is { Implicit: false },
            Since = result.GetValue(Growth),
        };
        var counts = target.IsTrace ? question.AskTrace(TraceReference.Parse(target.Path!)) : question.AskPicture(target);
        foreach (var note in counts.Notes)
        {
            Messages.Warn(note);
        }

        if (result.GetValue(Json))
        {
            using var output = Console.OpenStandardOutput();
            ObjectsJson.Write(output, counts);
        }
        else
        {
            using var output = new StreamWriter(Console.OpenStandardOutput(), bufferSize: 1 << 16);
            ObjectsText.Write(TextCanvas.ForStandardOutput(output), counts, top);
        }

        return ExitCodes.Success;
    }

    private static IObjectCondition? Condition(ParseResult result)
    {
        var expression = result.GetValue(Where);
        var (disposed, undisposed) = (result.GetValue(Disposed), result.GetValue(Undisposed));
        var given = (expression is null ? 0 : 1) + (disposed ? 1 : 0) + (undisposed ? 1 : 0);
        if (given > 1)
        {
            throw new ToolException("give one of --where, --disposed and --undisposed", ExitCodes.Usage);
        }

        if (given > 0 && result.GetResult(Growth) is { Implicit: false })
        {
            throw new ToolException("--growth compares all objects: leave out --where, --disposed and --undisposed", ExitCodes.Usage);
        }

        return disposed ? FieldCondition.Disposed
            : undisposed ? new OpenSafeHandles()
            : expression is null ? null
            : FieldCondition.Parse(expression) ?? throw new ToolException(
                $"--where: '{expression}' is not of the form FIELD == VALUE (or !=, <, <=, >, >=) with a number, true, false or null",
                ExitCodes.Usage);
    }
}
