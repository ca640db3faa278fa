using CsCheck;
using NativeHeap.Fixtures;
using NativeHeap.Testing;

namespace NativeHeap.Trace.Tests;

/// <summary>Whatever is in the file, reading it gives rows or a <see cref="TraceException"/>, and comes to an end.</summary>
public sealed class FuzzTests : IDisposable
{
    private static readonly long[] s_edges = [long.MinValue, long.MaxValue, int.MaxValue, uint.MaxValue];

    private readonly TempFolder _folder = new();
    private readonly byte[] _whole;

    public FuzzTests()
    {
        _whole = File.ReadAllBytes(SampleTrace.Build()
            .Timeline(1, 10, 1)
            .Row("snapshot", ("id", 1), ("name", "before"), ("reason", "asked"), ("time_ns", 5))
            .Row("snapshot_type", ("snapshot_id", 1), ("process_id", 1), ("type", "T"), ("kind", "cpp"), ("found_by", "symbol"), ("count", 2), ("bytes", 9))
            .Row("block", ("snapshot_id", 1), ("process_id", 1), ("address", 4096), ("bytes", 7), ("stack_id", 3), ("birth_ns", 2))
            .Row("snapshot_total", ("snapshot_id", 1), ("process_id", 1), ("stack_id", 3), ("blocks", 1), ("bytes", 50))
            .Row("histogram", ("process_id", 1), ("stack_id", 3), ("kind", "size"), ("bucket", 7), ("blocks", 1), ("bytes", 100))
            .Write(_folder["whole.nheap"]));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Flipped_bytes_are_survived()
    {
        var flips = Gen.Select(Gen.Int[0, _whole.Length - 1], Gen.Byte).Array[1, 20];
        var refused = 0;
        flips.Sample(
            changes =>
            {
                var bytes = (byte[])_whole.Clone();
                foreach (var (position, value) in changes)
                {
                    bytes[position] = value;
                }

                refused += Survives(path => File.WriteAllBytes(path, bytes)) ? 0 : 1;
            },
            iter: 1500,
            threads: 1);
        Assert.True(refused > 100, "most of these flips must have hit something");
    }

    [Fact]
    public void Flips_in_the_head_of_pages_are_survived()
    {
        // Where the structure is: the first bytes of each page.
        var flips = Gen.Select(Gen.Int[0, (_whole.Length / 4096) - 1], Gen.Int[0, 40], Gen.Byte).Array[1, 6];
        flips.Sample(
            changes =>
            {
                var bytes = (byte[])_whole.Clone();
                foreach (var (page, offset, value) in changes)
                {
                    bytes[(page * 4096) + (page == 0 ? 100 : 0) + offset] = value;
                }

                Survives(path => File.WriteAllBytes(path, bytes));
            },
            iter: 1500,
            threads: 1);
    }

    [Fact]
    public void Random_values_in_random_columns_are_survived()
    {
        var columns = TraceColumns.Of(_folder["whole.nheap"]);
        var value = Gen.OneOf(
            Gen.Long.Select(v => (object)v),
            Gen.Int[-2, 40].Select(v => (object)(long)v),
            Gen.Int[0, 3].Select(i => (object)s_edges[i]),
            Gen.Double.Select(v => (object)v),
            Gen.String[0, 30].Select(v => (object)v),
            Gen.Byte.Array[0, 30].Select(v => (object)v),
            Gen.Const((object)DBNull.Value));
        var change = Gen.Select(Gen.Int[0, columns.Count - 1], Gen.Int[0, 10], value);
        var refused = 0;
        change.Array[1, 3].Sample(
            changes =>
            {
                refused += Survives(path =>
                {
                    File.WriteAllBytes(path, _whole);
                    TraceColumns.Set(path, changes.Select(c => (columns[c.Item1], c.Item2, c.Item3)));
                })
                    ? 0
                    : 1;
            },
            iter: 700,
            threads: 1);
        Assert.True(refused > 100, "most of these values must have been noticed");
    }

    /// <summary>True when it was read, false when it was refused; anything else fails the test.</summary>
    private bool Survives(Action<string> make)
    {
        var path = _folder["fuzzed.nheap"];
        make(path);
        try
        {
            Everything.Read(path);
            return true;
        }
        catch (TraceException error)
        {
            Assert.DoesNotContain(error.Message, char.IsControl);
            return false;
        }
        finally
        {
            foreach (var file in Directory.GetFiles(_folder.Path, "fuzzed.nheap*"))
            {
                File.Delete(file);
            }
        }
    }
}
