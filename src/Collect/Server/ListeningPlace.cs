using System.Text;
using Microsoft.Win32.SafeHandles;
using NativeHeap.Memory;
using NativeHeap.Model;

namespace NativeHeap.Collect.Server;

/// <summary>
/// A path for a socket that nobody else listens at, as long as this lives. A lock on a file beside it decides, which the
/// kernel gives back however its holder ends: so a socket that a killed collector left behind can be told from one in use.
/// </summary>
internal sealed class ListeningPlace : IDisposable
{
    private const int LongestSocketPath = 107; // struct sockaddr_un has 108 bytes
    private const int MostTries = 100;

    private readonly SafeFileHandle _lock;

    private ListeningPlace(string path, SafeFileHandle held)
    {
        SocketPath = path;
        _lock = held;
    }

    /// <summary>The path; there is nothing at it yet.</summary>
    public string SocketPath { get; }

    private static string LockOf(string path) => path + ".lock";

    /// <summary>Takes a path.</summary>
    /// <param name="path">Absolute, or from the working folder.</param>
    /// <exception cref="ToolException">Exit code 2: another collector has it, something else is there, others could
    /// put something else there, or it is too long.</exception>
    public static ListeningPlace Take(string path)
    {
        var full = Path.GetFullPath(path);
        if (Encoding.UTF8.GetByteCount(full) > LongestSocketPath)
        {
            throw Refused(path, $"a socket's path has at most {LongestSocketPath} bytes, this one has {Encoding.UTF8.GetByteCount(full)}");
        }
        if (PrivatePlace.Problem(Path.GetDirectoryName(full) ?? "/") is { } problem)
        {
            throw Refused(path, problem);
        }
        var place = new ListeningPlace(full, TakeLock(path, full));
        try
        {
            place.Clear(path);
            return place;
        }
        catch (ToolException)
        {
            place.Dispose();
            throw;
        }
    }

    /// <summary>Takes socket and lock away; the next collector may have the path.</summary>
    public void Dispose()
    {
        if (_lock.IsClosed)
        {
            return;
        }
        if (Libc.IsSocket(SocketPath))
        {
            Libc.Unlink(SocketPath);
        }
        // Before it is given up: whoever waits for it looks whether it is still the one at the path.
        Libc.Unlink(LockOf(SocketPath));
        _lock.Dispose();
    }

    private static SafeFileHandle TakeLock(string path, string full)
    {
        for (var i = 0; i < MostTries; i++)
        {
            var file = Libc.OpenPrivate(LockOf(full));
            if (file.IsInvalid)
            {
                throw Refused(path, $"{LockOf(full)}: {Libc.ErrorText}");
            }
            if (!Libc.TryLock(file))
            {
                file.Dispose();
                throw Refused(path, "another collector listens there");
            }
            // The holder before us may have taken the name away between our two steps.
            if (FileStatus.TryRead(file, out _) is { } mine && FileStatus.TryRead(LockOf(full), out _) is { } there
                && (mine.Device, mine.Inode) == (there.Device, there.Inode))
            {
                return file;
            }
            file.Dispose();
        }
        throw Refused(path, $"{LockOf(full)} does not stay where it is");
    }

    // Under the lock: a socket that is there was left behind, or is not one of ours.
    private void Clear(string path)
    {
        if (!Libc.IsSocket(SocketPath))
        {
            if (Path.Exists(SocketPath))
            {
                throw Refused(path, "there is something else than a socket");
            }
            return;
        }
        using (var listener = Libc.Connect(SocketPath))
        {
            if (!listener.IsInvalid)
            {
                throw Refused(path, "another program listens there");
            }
        }
        if (!Libc.Unlink(SocketPath))
        {
            throw Refused(path, $"the socket that was left there cannot be removed: {Libc.ErrorText}");
        }
    }

    private static ToolException Refused(string path, string reason) =>
        new($"cannot listen at {path}: {reason}", ExitCodes.Usage);
}
