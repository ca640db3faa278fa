using CsCheck;
using NativeHeap.Fixtures;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Analysis.Tests;

/// <summary>Whatever values a trace holds, questions are answered or refused, and come to an end.</summary>
public sealed class AnalysisFuzzTests : IDisposable
{
    private static readonly long[] s_edges = [long.MinValue, long.MaxValue, long.MaxValue / 4, int.MaxValue, 1 << 20];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Random_values_in_random_columns_are_survived()
    {
        var whole = SampleTrace.Build()
            .Timeline(1, 10, 1)
            .Timeline(2, 20, 1, 5, 9)
            .Row("snapshot", ("id", 1), ("name", "before"), ("reason", "asked"), ("time_ns", 5))
            .Row("snapshot_total", ("snapshot_id", 1), ("process_id", 1), ("stack_id", 3), ("blocks", 1), ("bytes", 50))
            .Write(_folder["whole.nheap"]);
        var columns = TraceColumns.Of(whole);
        var value = Gen.OneOf(
            Gen.Int[0, 40].Select(v => (object)(long)v),
            Gen.Long[0, long.MaxValue / 4].Select(v => (object)v),
            Gen.Int[0, s_edges.Length - 1].Select(i => (object)s_edges[i]),
            Gen.Const((object)DBNull.Value));
        var answered = 0;
        var refused = 0;
        Gen.Select(Gen.Int[0, columns.Count - 1], Gen.Int[0, 10], value).Array[1, 2].Sample(
            changes =>
            {
                var path = _folder["fuzzed.nheap"];
                File.Copy(whole, path, overwrite: true);
                TraceColumns.Set(path, changes.Select(c => (columns[c.Item1], c.Item2, c.Item3)));
                var (yes, no) = AskAll(path);
                answered += yes;
                refused += no;
            },
            iter: 100,
            threads: 1);
        // Of 1,400 questions 175 to 225 are refused, by the seed.
        Assert.True(answered > 50 && refused > 50, $"{answered} answered, {refused} refused");
    }

    private static (int Answered, int Refused) AskAll(string path)
    {
        StackQuestion[] questions =
        [
            .. Enum.GetValues<StackMeasure>().Select(by => new StackQuestion { By = by }),
            new() { AtNs = 300_000_000 },
            new() { FromNs = 100_000_000, ToNs = 400_000_000 },
            new() { Moment = "before" },
            new() { Pid = 4712, By = StackMeasure.Peak },
        ];
        Action<Profile>[] all =
        [
            .. questions.Select(q => (Action<Profile>)(p => Assert.All(p.Ask(q).Stacks, s => Assert.NotNull(s.Stack.Frames)))),
            p => p.Totals(),
            p => p.Timeline(new TimelineQuestion()),
            p => _ = p.Ledger,
        ];
        var refused = 0;
        foreach (var ask in all)
        {
            try
            {
                using var profile = Profile.Open(path);
                ask(profile);
            }
            catch (ToolException)
            {
                refused++;
            }
        }

        return (all.Length - refused, refused);
    }
}
