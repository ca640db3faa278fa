using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>What stacks are weighed by, as it is typed after <c>--by</c>.</summary>
internal static class Measures
{
    /// <summary>The measure of a word.</summary>
    /// <param name="word">What was typed; null: nothing.</param>
    /// <returns>Null for nothing.</returns>
    /// <exception cref="ToolException">The word names none; exit code 2.</exception>
    public static StackMeasure? Read(string? word)
    {
        if (word is null)
        {
            return null;
        }
        return StackMeasures.TryParse(word, out var measure)
            ? measure
            : throw new ToolException(
                $"--by {word}: must be one of {string.Join(", ", StackMeasures.Names)}", ExitCodes.Usage);
    }
}
