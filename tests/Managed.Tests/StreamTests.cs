using CsCheck;
using Microsoft.Diagnostics.NETCore.Client;

namespace NativeHeap.Managed.Tests;

public sealed class StreamTests : IClassFixture<StreamTests.Recorded>
{
    private const int NoProcess = -1;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly byte[] _whole;

    public StreamTests(Recorded recorded) => _whole = recorded.Bytes;

    [Fact]
    public void A_whole_stream_has_methods_and_nothing_to_remark()
    {
        var (map, notes) = Read(_whole);
        Assert.InRange(map.Count, 1000, 100_000);
        Assert.Empty(notes);
    }

    [Fact]
    public void A_stream_that_breaks_off_gives_what_came_before()
    {
        var counts = new List<int>();
        for (var i = 0; i <= 100; i++)
        {
            counts.Add(Read(_whole[..(int)((long)_whole.Length * i / 100)]).Map.Count);
        }

        Assert.Equal(0, counts[0]);
        Assert.Equal(counts.Order(), counts);
        Assert.Contains(counts, count => count > 0 && count < counts[^1]);
    }

    [Fact]
    public void Damaged_streams_end_and_do_no_harm()
    {
        var changes = Gen.Select(Gen.Int[0, _whole.Length - 1], Gen.Byte).Array[1, 30];
        var damaged = 0;
        changes.Sample(
            flips =>
            {
                var bytes = (byte[])_whole.Clone();
                foreach (var (position, value) in flips)
                {
                    bytes[position] = value;
                }

                damaged += Read(bytes).Notes.Count == 0 ? 0 : 1;
            },
            iter: 150,
            threads: 1);
        Assert.NotEqual(0, damaged);
    }

    private static (CodeMap Map, List<string> Notes) Read(byte[] bytes)
    {
        var map = new CodeMap();
        var notes = new List<string>();
        var reading = Task.Run(() => EventStream.Read(new MemoryStream(bytes), new ClrEvents(map, NoProcess), notes.Add));
        Assert.True(reading.Wait(Patience), "the stream never ends");
        return (map, notes);
    }

    /// <summary>The stream of one run of the program.</summary>
    public sealed class Recorded
    {
        public Recorded()
        {
            using var program = new NamesProgram("forever");
            Assert.Null(program.Read(1));
            using var session = new DiagnosticsClient(program.Pid).StartEventPipeSession(EventStream.Live);
            using var bytes = new MemoryStream();
            var reading = session.EventStream.CopyToAsync(bytes);
            Assert.Null(program.Read(3000));
            session.Stop();
            reading.Wait(Patience);
            Bytes = bytes.ToArray();
        }

        public byte[] Bytes { get; }
    }
}
