using System.Diagnostics;
using System.Text;
using NativeHeap.Fixtures;
using NativeHeap.Testing;
using NativeHeap.Model;

namespace NativeHeap.Trace.Tests;

/// <summary>Files that are no readable trace: one line each, exit code 4.</summary>
public sealed class BadFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static void Refused(string path, string because)
    {
        var error = Assert.Throws<TraceException>(() => TraceReader.Open(path));
        Assert.Equal(ExitCodes.Input, error.ExitCode);
        Assert.StartsWith(path + ": ", error.Message, StringComparison.Ordinal);
        Assert.Contains(because, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void A_missing_file_is_refused() => Refused(_folder["none.nheap"], "no such file");

    [Fact]
    public void A_directory_is_refused() => Refused(_folder.Path, "is a directory");

    [Fact]
    public void An_empty_file_is_refused()
    {
        File.WriteAllText(_folder["empty"], "");
        Refused(_folder["empty"], "is empty");
    }

    [Theory]
    [InlineData("#!/bin/sh\necho hello, this is no trace\n")]
    [InlineData("S")]
    [InlineData("SQLite format 3")]
    public void A_file_of_another_kind_is_refused(string content)
    {
        File.WriteAllText(_folder["other"], content);
        Refused(_folder["other"], content.StartsWith('S') ? "cut short" : "not a trace");
    }

    [Fact]
    public void A_pipe_is_refused_and_not_waited_for()
    {
        using var make = Process.Start("mkfifo", [_folder["pipe"]]);
        make.WaitForExit();
        Refused(_folder["pipe"], "no regular file");
    }

    [Fact]
    public void A_database_of_another_program_is_refused()
    {
        TraceBuilder.Alter(_folder["other.db"], "CREATE TABLE contacts (name TEXT)");
        Refused(_folder["other.db"], "not a trace (a SQLite file of another program)");
    }

    [Fact]
    public void A_database_of_nothing_may_be_a_trace_whose_log_was_left_behind()
    {
        TraceBuilder.Alter(_folder["nothing.db"], "PRAGMA journal_mode = WAL");
        Refused(_folder["nothing.db"], "copied without the -wal file");
    }

    [Fact]
    public void A_trace_of_a_newer_version_is_refused_as_such()
    {
        var path = SampleTrace.Build().Write(_folder["a.nheap"]);
        TraceBuilder.Alter(path, "PRAGMA user_version = 9");
        Refused(path, "newer nativeheap (trace version 9");
    }

    [Theory]
    [InlineData(16)]
    [InlineData(100)]
    [InlineData(512)]
    [InlineData(4096)]
    [InlineData(5000)]
    [InlineData(40960)]
    [InlineData(-1)]
    public void A_truncated_trace_is_refused(int length)
    {
        var path = SampleTrace.Build().Write(_folder["a.nheap"]);
        var bytes = File.ReadAllBytes(path);
        Assert.True(length < bytes.Length);
        File.WriteAllBytes(path, bytes[..(length < 0 ? bytes.Length + length : length)]);
        Refused(path, $"cut short (after {new FileInfo(path).Length} bytes)");
    }

    [Theory]
    [InlineData("DROP TABLE cohort", "table cohort is missing")]
    [InlineData("DROP TABLE cohort; CREATE VIEW cohort AS SELECT 1 AS process_id", "table cohort is missing")]
    [InlineData("ALTER TABLE process RENAME COLUMN frees TO freed", "column process.frees is missing")]
    [InlineData("DROP TABLE string; CREATE TABLE string (id INTEGER, text AS (hex(id)))", "column string.text is missing")]
    [InlineData("PRAGMA user_version = 0", "trace version 0")]
    [InlineData("DELETE FROM process", "holds no process")]
    public void A_trace_that_lacks_a_part_is_refused(string sql, string because)
    {
        var path = SampleTrace.Build().Write(_folder["a.nheap"]);
        TraceBuilder.Alter(path, sql);
        Refused(path, because);
    }

    [Fact]
    public void A_name_with_control_characters_in_SQLites_words_makes_one_line()
    {
        var path = SampleTrace.Build().Write(_folder["a.nheap"]);
        TraceBuilder.Alter(
            path,
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE x(' || char(10) || char(27) || '[2J' "
            + "WHERE name = 'cohort'");
        var error = Assert.Throws<TraceException>(() => TraceReader.Open(path));
        Assert.DoesNotContain(error.Message, char.IsControl);
    }

    [Fact]
    public void A_trace_without_read_permission_is_refused()
    {
        Assert.SkipWhen(Environment.IsPrivilegedProcess, "root may read everything");
        var path = SampleTrace.Build().Write(_folder["a.nheap"]);
        File.SetUnixFileMode(path, UnixFileMode.None);
        Refused(path, "permission denied");
    }

    [Fact]
    public void Every_byte_of_a_foreign_start_is_looked_at()
    {
        var bytes = Encoding.ASCII.GetBytes("SQLite format 4\0").Concat(new byte[4096]).ToArray();
        File.WriteAllBytes(_folder["a.nheap"], bytes);
        Refused(_folder["a.nheap"], "not a trace");
    }
}
