using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace NativeHeap.Symbols;

/// <summary>
/// A child that answers lines with lines. Its stderr is thrown away, it does not die of the user's Ctrl-C, it knows
/// nothing of a profiled environment, and it is killed when it says nothing for too long. What it says is bounded and
/// not trusted. One thread asks and reads; the requests are written by another meanwhile, so that neither side waits
/// for the other's pipe.
/// </summary>
internal sealed class ToolProcess : IDisposable
{
    private const int LongestLine = 8 << 20;
    private const long NotWaiting = -1;
    private const string Starter = "trap '' INT QUIT; exec \"$0\" \"$@\" 2>/dev/null";

    private readonly Process _process;
    private readonly Stream _output;
    private readonly Timer _watchdog;
    private readonly long _patience;
    private CancellationTokenRegistration _cancellation;
    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private long _waitingSince = NotWaiting;
    private Task _writing = Task.CompletedTask;
    private volatile bool _stuck;

    private ToolProcess(Process process, TimeSpan patience)
    {
        _process = process;
        _output = process.StandardOutput.BaseStream;
        _patience = (long)patience.TotalMilliseconds;
        _watchdog = new Timer(_ => KillWhenStuck(), null, 250, 250);
    }

    /// <summary>True when it was killed because it said nothing for too long.</summary>
    internal bool IsStuck => _stuck;

    /// <summary>Starts a tool; null when it cannot be started.</summary>
    /// <param name="path">The tool.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="patience">How long it may say nothing while it is waited for.</param>
    internal static ToolProcess? Start(string path, IEnumerable<string> arguments, TimeSpan patience)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Starter, path, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = "/",
        };
        CleanEnvironment(start);
        try
        {
            return Process.Start(start) is { } process ? new ToolProcess(process, patience) : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Writes lines while answers are read. What was asked before has to be answered.</summary>
    /// <param name="lines">The lines, without their ends.</param>
    /// <param name="last">The tool's input ends behind them.</param>
    /// <param name="cancellation">Kills the tool.</param>
    internal void Ask(IEnumerable<string> lines, bool last, CancellationToken cancellation)
    {
        _writing.Wait(CancellationToken.None);
        _cancellation.Dispose();
        _cancellation = cancellation.Register(Kill);
        _writing = Task.Run(() => Write(lines, last), CancellationToken.None);
    }

    /// <summary>The next line without its end, valid until the next call; false when there is none: the tool has
    /// ended, was killed, or its line has no end.</summary>
    internal bool ReadLine(out ReadOnlySpan<byte> line)
    {
        while (true)
        {
            var held = _buffer.AsSpan(_start, _end - _start);
            var length = held.IndexOf((byte)'\n');
            if (length >= 0)
            {
                line = held[..length];
                _start += length + 1;
                return true;
            }

            if (!ReadMore())
            {
                line = default;
                return false;
            }
        }
    }

    public void Dispose()
    {
        _cancellation.Dispose();
        _watchdog.Dispose();
        Kill();
        _writing.Wait();
        _process.WaitForExit(TimeSpan.FromSeconds(5)); // none is left behind, unless the kernel holds it
        _process.Dispose();
    }

    private static void CleanEnvironment(ProcessStartInfo start)
    {
        foreach (var name in start.Environment.Keys.ToList())
        {
            if (name is "LD_PRELOAD" or "LD_AUDIT" or "LLVM_SYMBOLIZER_OPTS" or "LLVM_ADDR2LINE_OPTS"
                || name.StartsWith("NATIVEHEAP_", StringComparison.Ordinal))
            {
                start.Environment.Remove(name);
            }
        }

        start.Environment["LC_ALL"] = "C";
    }

    private bool ReadMore()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            if (_buffer.Length >= LongestLine)
            {
                return false;
            }

            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        try
        {
            Interlocked.Exchange(ref _waitingSince, Environment.TickCount64);
            var count = _output.Read(_buffer, _end, _buffer.Length - _end);
            _end += count;
            return count > 0;
        }
        catch (IOException)
        {
            return false;
        }
        finally
        {
            Interlocked.Exchange(ref _waitingSince, NotWaiting);
        }
    }

    private void Write(IEnumerable<string> lines, bool last)
    {
        const int atOnce = 32 * 1024;
        var text = new StringBuilder();
        try
        {
            var input = _process.StandardInput.BaseStream;
            foreach (var line in lines)
            {
                text.Append(line).Append('\n');
                if (text.Length >= atOnce)
                {
                    input.Write(Encoding.UTF8.GetBytes(text.ToString()));
                    text.Clear();
                }
            }

            input.Write(Encoding.UTF8.GetBytes(text.ToString()));
            input.Flush();
            if (last)
            {
                input.Dispose();
            }
        }
        catch (IOException)
        {
            // It has ended or was killed: the reader sees that too.
        }
    }

    private void KillWhenStuck()
    {
        var since = Interlocked.Read(ref _waitingSince);
        if (since != NotWaiting && Environment.TickCount64 - since > _patience)
        {
            _stuck = true;
            Kill();
        }
    }

    private void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }
}
