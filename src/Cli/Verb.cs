using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>A verb of the command line, with the example that its help ends in.</summary>
internal sealed class Verb : Command
{
    private readonly string[] _examples;

    /// <summary>A verb without options; a <see cref="ToolException"/> out of its action ends the tool with its code.</summary>
    /// <param name="name">What is typed.</param>
    /// <param name="description">One sentence.</param>
    /// <param name="examples">Whole command lines.</param>
    public Verb(string name, string description, params string[] examples)
        : base(name, description)
    {
        _examples = examples;
    }

    /// <summary>Lets the help of every verb end in its examples.</summary>
    public static void ShowExamples(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            if (option.Action is HelpAction help)
            {
                option.Action = new HelpWithExamples(help);
            }
        }
    }

    /// <summary>The usual help, then the examples.</summary>
    public sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
    {
        /// <inheritdoc/>
        public override bool ClearsParseErrors => true;

        /// <inheritdoc/>
        public override int Invoke(ParseResult parseResult)
        {
            var code = usual.Invoke(parseResult);
            if (parseResult.CommandResult.Command is Verb { _examples.Length: > 0 } verb)
            {
                var output = parseResult.InvocationConfiguration.Output;
                output.WriteLine(verb._examples.Length == 1 ? "Example:" : "Examples:");
                foreach (var example in verb._examples)
                {
                    output.WriteLine("  " + example);
                }
            }
            return code;
        }
    }
}
