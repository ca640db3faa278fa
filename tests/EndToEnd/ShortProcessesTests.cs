namespace NativeHeap.EndToEnd;

/// <summary>A script of some hundred short processes, as version managers put in front of an interpreter: children of
/// children that are gone when the collector hears of them, and whose pids and slots are used again.</summary>
[Trait("repeated", "yes")]
public sealed class ShortProcessesTests : IDisposable
{
    private const string Script = """
        set -e
        for i in 1 2 3 4 5 6 7 8; do
            name=$(echo "program-$i" | sed 's/-/_/' | tr a-z A-Z)
            count=$( (echo one; echo two; echo three) | grep -c . | tr -d ' ')
            (: ; true | cat >/dev/null) &
            wait $!
            sum=$(printf '%s' "$name" | cksum | cut -d' ' -f1)
        done
        ((sleep 0.001; exec true) &)
        exec env printf '%s\n' "$name $count $sum"
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_one_of_many_short_processes_is_recorded_to_its_end()
    {
        for (var i = 0; i < Seed.Times / 4; i++)
        {
            using var recording = Recording.Run(_folder, ["/bin/bash", "-c", Script], null, "--wait-children");
            Assert.Equal("PROGRAM_8 3 174892399\n", recording.Outcome.Expect(0).Output);
            Assert.Equal("", recording.Outcome.OwnErrors);
            Assert.True(recording.Report.Complete, recording.Outcome.Errors);
            Assert.Empty(recording.Query("SELECT pid FROM process WHERE end_ns IS NULL OR note IS NOT NULL"));
        }
    }
}
