using System.Diagnostics;
using System.Globalization;
using System.Text;
using NativeHeap.Graph.Objects;

namespace NativeHeap.Present.Plots;

/// <summary>
/// Who holds a block as a drawing: roots above, the block below, the field on each arrow. Graphviz places the boxes where it
/// is installed, else rows do (<see cref="HolderRows"/>).
/// </summary>
public static class HolderPicture
{
    private const int LongestLabel = 48;
    private const int MostShown = 60; // of a name, in all its lines
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly char[] s_folds = [',', '<', '.', ' ', ':'];

    /// <summary>A box of the drawing.</summary>
    /// <param name="Lines">What it says.</param>
    /// <param name="Title">What a browser shows when the mouse rests on it.</param>
    /// <param name="Kind">What it is.</param>
    internal sealed record Box(IReadOnlyList<string> Lines, string Title, BoxKind Kind);

    /// <summary>What a box stands for.</summary>
    internal enum BoxKind
    {
        Root,
        Object,
        Cycle,
        Target,
    }

    /// <summary>An arrow from box to box.</summary>
    internal readonly record struct Arrow(int From, int To, string Label);

    /// <summary>Draws an answer as SVG.</summary>
    /// <param name="answer">Chains that share boxes share them in the drawing.</param>
    /// <param name="graphviz">Path of dot; null: it is not installed.</param>
    public static string Draw(HolderAnswer answer, string? graphviz)
    {
        ArgumentNullException.ThrowIfNull(answer);
        var (boxes, arrows) = Describe(answer);
        return (graphviz is null ? null : RunGraphviz(graphviz, Dot(boxes, arrows))) ?? HolderRows.Draw(boxes, arrows);
    }

    /// <summary>Where Graphviz is; null when it is not installed.</summary>
    public static string? FindGraphviz() => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
        .Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => Path.Combine(folder, "dot")).FirstOrDefault(File.Exists);

    /// <summary>The boxes and arrows of an answer.</summary>
    internal static (IReadOnlyList<Box> Boxes, IReadOnlyList<Arrow> Arrows) Describe(HolderAnswer answer)
    {
        var boxes = new List<Box>();
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        var arrows = new HashSet<Arrow>();
        var target = Place(answer.Target with { IsInCycle = false }, BoxKind.Target);
        foreach (var chain in answer.Chains)
        {
            var name = $"{chain.RootKind.Name()} {chain.RootName}";
            var from = PlaceBox(name, new Box([.. HoldersText.RootWords(chain).SelectMany(Fold)], name, BoxKind.Root));
            foreach (var (link, leftOut) in ChainEnds.Of(chain))
            {
                if (leftOut > 0)
                {
                    var between = PlaceBox($"{name} … {link.Address:x}", new Box([$"… {Words.Count(leftOut)} more …"], "", BoxKind.Object));
                    arrows.Add(new Arrow(from, between, ""));
                    from = between;
                }

                var to = Place(link, link.IsInCycle ? BoxKind.Cycle : BoxKind.Object);
                arrows.Add(new Arrow(from, to, Words.Printable(link.Via ?? "")));
                from = to;
            }

            if (chain.Links.FirstOrDefault(link => link.IsInCycle) is { } first && chain.Links.Count > 1)
            {
                arrows.Add(new Arrow(target, Place(first, BoxKind.Cycle), "cycle"));
            }
        }

        foreach (var holder in answer.DeadHolders)
        {
            arrows.Add(new Arrow(Place(holder, BoxKind.Object), target, "held by nobody"));
        }

        return (boxes, [.. arrows]);

        int Place(ChainLink link, BoxKind kind)
        {
            var size = string.Create(CultureInfo.InvariantCulture, $"0x{link.Address:x}  {Words.Bytes(link.Bytes)}");
            var type = link.Type ?? "native block";
            return PlaceBox($"{link.Address:x}", new Box([.. Fold(Short(type)), size], $"{type} {size}", kind));
        }

        int PlaceBox(string key, Box box)
        {
            if (!places.TryGetValue(key, out var place))
            {
                places.Add(key, place = boxes.Count);
                boxes.Add(box);
            }

            return place;
        }
    }

    /// <summary>The drawing in Graphviz's language.</summary>
    internal static string Dot(IReadOnlyList<Box> boxes, IReadOnlyList<Arrow> arrows)
    {
        var text = new StringBuilder();
        text.Append("digraph holders {\n  rankdir=TB; nodesep=0.4; ranksep=0.5; bgcolor=white;\n");
        text.Append("  node [shape=box, style=\"filled,rounded\", fontname=\"sans-serif\", fontsize=11, margin=\"0.16,0.08\"];\n");
        text.Append("  edge [fontname=\"sans-serif\", fontsize=10, color=\"#666666\", fontcolor=\"#333333\"];\n");
        for (var i = 0; i < boxes.Count; i++)
        {
            var label = string.Join("\\n", boxes[i].Lines.Select(Quote));
            text.Append(CultureInfo.InvariantCulture, $"  n{i} [label=\"{label}\", tooltip=\"{Quote(boxes[i].Title)}\", fillcolor=\"{Fill(boxes[i].Kind)}\", color=\"#888888\"];\n");
        }

        foreach (var (from, to, label) in arrows)
        {
            // What leaves the target closes a cycle, and is to leave the target where it is: below.
            text.Append(
                CultureInfo.InvariantCulture,
                $"  n{(from == 0 ? to : from)} -> n{(from == 0 ? from : to)} [label=\" {Quote(label)}\"{(from == 0 ? ", dir=back" : "")}];\n");
        }

        return text.Append("}\n").ToString();
    }

    /// <summary>The colour of a box.</summary>
    internal static string Fill(BoxKind kind) => kind switch
    {
        BoxKind.Root => "#dcefdc",
        BoxKind.Cycle => "#fbe3c0",
        BoxKind.Target => "#f8d0d0",
        _ => "#e6ecf5",
    };

    private static string Quote(string text) => Words.Printable(text)
        .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);

    // Namespaces are in the title.
    private static string Short(string type)
    {
        var text = new StringBuilder();
        var word = 0;
        foreach (var letter in type)
        {
            text.Append(letter);
            if (letter == '.')
            {
                text.Length = word;
            }
            else if (!char.IsLetterOrDigit(letter) && letter != '_')
            {
                word = text.Length;
            }
        }

        return text.ToString();
    }

    private static IEnumerable<string> Fold(string text)
    {
        var shown = text.Length > MostShown * 2 ? string.Concat(text.AsSpan(0, MostShown * 2), "…") : text;
        while (shown.Length > LongestLabel)
        {
            var cut = shown.LastIndexOfAny(s_folds, LongestLabel - 1, LongestLabel / 2);
            cut = cut < 0 ? LongestLabel : cut + 1;
            yield return shown[..cut];
            shown = shown[cut..];
        }

        yield return shown;
    }

    private static string? RunGraphviz(string path, string dot)
    {
        var start = new ProcessStartInfo(path, ["-Tsvg"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            process.StandardInput.Write(dot);
            process.StandardInput.Close();
            if (!process.WaitForExit(Patience))
            {
                process.Kill();
                return null;
            }

            errors.Wait();
            return process.ExitCode == 0 && output.Result.Contains("</svg>", StringComparison.Ordinal) ? output.Result : null;
        }
        catch (Exception error) when (error is System.ComponentModel.Win32Exception or IOException)
        {
            return null;
        }
    }
}
