using System.Globalization;

namespace NativeHeap.Managed;

/// <summary>
/// A name that the C# compiler made up, taken apart: <c>&lt;Parent&gt;b__0_1</c> and the like (Roslyn,
/// GeneratedNames.cs and GeneratedNameKind.cs).
/// </summary>
/// <param name="Parent">What stands in angle brackets: the member that it was made for; may be such a name itself.</param>
/// <param name="Kind">The letter that follows: b lambda, g local function, d state machine, c closure.</param>
/// <param name="Suffix">What follows the two underscores.</param>
internal readonly record struct CompilerName(string Parent, char Kind, string Suffix)
{
    /// <summary>Takes a name apart; null when it is nobody's but its author's.</summary>
    internal static CompilerName? Parse(string name)
    {
        if (!name.StartsWith('<'))
        {
            return null;
        }

        var depth = 0;
        for (var i = 0; i < name.Length; i++)
        {
            depth += name[i] switch { '<' => 1, '>' => -1, _ => 0 };
            if (depth == 0)
            {
                var rest = name.AsSpan(i + 1);
                var suffix = rest.Length >= 3 && rest[1..].StartsWith("__") ? rest[3..].ToString() : "";
                return rest.IsEmpty ? null : new CompilerName(name[1..i], rest[0], suffix);
            }
        }

        return null;
    }

    /// <summary>Whether a type is one that closures live in.</summary>
    internal static bool IsClosure(string typeName) =>
        Parse(typeName) is { Parent: "", Kind: 'c' };

    /// <summary>The method's name as its author would say it; a name of his own as it is.</summary>
    /// <remarks><c>Main.lambda#1</c> is the second lambda of Main, <c>Main.Local</c> a local function of it.</remarks>
    internal static string Readable(string name) => Parse(name) switch
    {
        // The statements of a file without a class.
        { Parent: "Main", Kind: '$' } => "Main",
        { Kind: 'b' } lambda => $"{Readable(lambda.Parent)}.lambda#{OrdinalOf(lambda.Suffix)}",
        { Kind: 'g' } local when local.Suffix.IndexOf('|', StringComparison.Ordinal) is > 0 and var bar =>
            $"{Readable(local.Parent)}.{local.Suffix[..bar]}",
        _ => name,
    };

    // b__METHOD_LAMBDA, or b__LAMBDA in a closure that has the method's number itself.
    private static string OrdinalOf(string suffix)
    {
        var last = suffix[(suffix.LastIndexOf('_') + 1)..];
        return int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? last : suffix;
    }
}
