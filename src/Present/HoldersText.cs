using System.Globalization;
using NativeHeap.Graph.Objects;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>Who holds a block, for people.</summary>
public static class HoldersText
{
    /// <summary>Writes the target and the chains to it.</summary>
    /// <param name="canvas">Where to.</param>
    /// <param name="answer">What to write.</param>
    /// <param name="frames">Who allocated the target; null when nobody knows.</param>
    public static void Write(TextCanvas canvas, HolderAnswer answer, CallStack? frames)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(answer);
        canvas.Line(Describe(answer.Target), Emphasis.Strong);
        if (answer.Chains.Count == 0)
        {
            canvas.Line(answer.IsKnown ? "held by nobody: no root leads to it" : "who holds it is not known", Emphasis.Warning);
            foreach (var holder in answer.DeadHolders)
            {
                canvas.Line("  pointed to by " + Describe(holder) + ", which nobody holds either");
            }
        }

        if (frames is not null)
        {
            canvas.Line($"allocated by {frames.Entry?.Name() ?? "?"}");
            StackText.WriteFrames(canvas, frames);
        }

        for (var i = 0; i < answer.Chains.Count; i++)
        {
            var chain = answer.Chains[i];
            canvas.Line();
            canvas.Line(string.Create(CultureInfo.InvariantCulture, $"{i + 1}. {Words.Printable(string.Join(' ', RootWords(chain)))}"), Emphasis.Strong);
            foreach (var (link, leftOut) in ChainEnds.Of(chain))
            {
                if (leftOut > 0)
                {
                    canvas.Line($"     … {Words.Count(leftOut)} more …", Emphasis.Faint);
                }

                var via = link.Via is { } field ? Words.Printable(field) + " " : "";
                canvas.Line($"   → {via}{Describe(link)}{(link.IsInCycle ? "  (in a cycle)" : "")}");
            }
        }
    }

    /// <summary>What a root is and its name; its name alone where that says both, as of "strong handle".</summary>
    internal static IReadOnlyList<string> RootWords(HolderChain chain) =>
        chain.RootKind == GraphRootKind.AwaitsFinalizer || chain.RootName.Contains(chain.RootKind.Name(), StringComparison.Ordinal)
            ? [chain.RootName]
            : [chain.RootKind.Name(), chain.RootName];

    /// <summary>"System.String 0x7f… 32 B".</summary>
    internal static string Describe(ChainLink link) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Words.Printable(link.Type ?? "native block")} 0x{link.Address:x} {Words.Bytes(link.Bytes)}");
}
