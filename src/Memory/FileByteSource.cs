using Microsoft.Win32.SafeHandles;

namespace NativeHeap.Memory;

/// <summary>A regular file on disk, read with pread: a file that shrinks meanwhile gives short reads, never a fault
/// as a mapping would. Safe from several threads.</summary>
public sealed class FileByteSource : IByteSource
{
    private readonly SafeFileHandle _handle;

    private FileByteSource(SafeFileHandle handle, FileStatus status)
    {
        _handle = handle;
        Length = status.Size;
    }

    /// <inheritdoc/>
    public long Length { get; }

    /// <summary>Opens a regular file for reading; never waits, as a fifo would make it.</summary>
    /// <param name="path">Path of the file; links are followed.</param>
    /// <param name="problem">Why it cannot be read, in a few words; null on success.</param>
    /// <returns>The source, or null.</returns>
    public static FileByteSource? TryOpen(string path, out string? problem)
    {
        var handle = Libc.OpenForReading(path, out problem);
        if (handle is null)
        {
            return null;
        }

        if (FileStatus.TryRead(handle, out problem) is not { } status)
        {
            handle.Dispose();
            return null;
        }

        if (status.Kind != FileKind.Regular)
        {
            handle.Dispose();
            problem = "not a regular file";
            return null;
        }

        return new FileByteSource(handle, status);
    }

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> destination)
    {
        var done = 0;
        try
        {
            while (offset >= 0 && done < destination.Length)
            {
                var count = RandomAccess.Read(_handle, destination[done..], offset + done);
                if (count == 0)
                {
                    break;
                }

                done += count;
            }
        }
        catch (IOException)
        {
            // A bad sector or a lost network share reads as the file's end.
        }

        return done;
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
