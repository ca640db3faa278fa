using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NativeHeap.Memory.Proc;

/// <summary>Bounded reads of one file below /proc. A process may vanish at any moment: then there is nothing.</summary>
internal static class ProcFile
{
    /// <summary>Up to <paramref name="limit"/> bytes; null when the file is gone or not for us to read.</summary>
    internal static byte[]? ReadBytes(string path, int limit)
    {
        var buffer = new byte[Math.Min(limit, 4096)];
        var done = 0;
        try
        {
            using var handle = File.OpenHandle(path);
            while (done < limit)
            {
                if (done == buffer.Length)
                {
                    Array.Resize(ref buffer, (int)Math.Min(limit, buffer.Length * 2L));
                }

                var count = RandomAccess.Read(handle, buffer.AsSpan(done), done);
                if (count == 0)
                {
                    break;
                }

                done += count;
            }
        }
        catch (Exception error) when (IsGone(error))
        {
            return null;
        }

        return buffer[..done];
    }

    /// <summary>The file's text; null as for <see cref="ReadBytes"/>.</summary>
    internal static string? ReadText(string path, int limit) =>
        ReadBytes(path, limit) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>Hands every line, without its end, to <paramref name="take"/>; false when the file is gone, even if
    /// some lines were handed over.</summary>
    internal static bool ReadLines(string path, LineTaker take)
    {
        try
        {
            using var handle = File.OpenHandle(path);
            ReadLines(handle, take);
            return true;
        }
        catch (Exception error) when (IsGone(error))
        {
            return false;
        }
    }

    /// <summary>True for what a file below /proc answers when its process is gone or is not ours to look at.</summary>
    internal static bool IsGone(Exception error) => error is IOException or UnauthorizedAccessException;

    private static void ReadLines(SafeFileHandle handle, LineTaker take)
    {
        const int longest = 1 << 16; // a path has at most 4,096 bytes, each written as up to four
        var buffer = new byte[longest];
        var held = 0;
        long offset = 0;
        while (true)
        {
            var count = RandomAccess.Read(handle, buffer.AsSpan(held), offset);
            if (count == 0)
            {
                if (held > 0)
                {
                    take(buffer.AsSpan(0, held));
                }

                return;
            }

            offset += count;
            held += count;
            ReadOnlySpan<byte> rest = buffer.AsSpan(0, held);
            for (var end = rest.IndexOf((byte)'\n'); end >= 0; end = rest.IndexOf((byte)'\n'))
            {
                take(rest[..end]);
                rest = rest[(end + 1)..];
            }

            // A line longer than the buffer is no line of the kernel's: it is dropped in pieces.
            var start = held - rest.Length;
            held = rest.Length == longest ? 0 : rest.Length;
            buffer.AsSpan(start, held).CopyTo(buffer);
        }
    }
}

/// <summary>Receives one line.</summary>
internal delegate void LineTaker(ReadOnlySpan<byte> line);
