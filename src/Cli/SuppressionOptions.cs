using System.CommandLine;
using NativeHeap.Analysis.Suppressions;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>The options that say which leaks are none, for verbs that number leaks.</summary>
/// <param name="files">Describes <c>--suppressions</c>.</param>
/// <param name="byDefault">Describes <c>--default-suppressions</c>.</param>
internal sealed class SuppressionOptions(string files, string byDefault)
{
    /// <summary><c>--suppressions FILE</c>.</summary>
    public Option<string[]> Files { get; } = new("--suppressions")
    {
        HelpName = "FILE",
        Description = files,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary><c>--default-suppressions yes|no</c>.</summary>
    public Option<string> Default { get; } = YesOrNo(byDefault);

    /// <summary>What they name, in the order in which it counts.</summary>
    /// <exception cref="ToolException">A file cannot be read.</exception>
    public LeakSuppressions Read(ParseResult result)
    {
        var own = (result.GetValue(Files) ?? [])
            .Aggregate(LeakSuppressions.None, (all, path) => all.Then(LeakSuppressions.Read(path)));
        return result.GetValue(Default) == "no" ? own : own.Then(LeakSuppressions.BuiltIn);
    }

    private static Option<string> YesOrNo(string description)
    {
        var option = new Option<string>("--default-suppressions")
        {
            HelpName = "yes|no",
            Description = description,
            DefaultValueFactory = _ => "yes",
        };
        option.AcceptOnlyFromAmong("yes", "no");
        return option;
    }
}
