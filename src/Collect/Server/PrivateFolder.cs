using System.Text;

namespace NativeHeap.Collect.Server;

/// <summary>A folder of our own for the socket, mode 0700. Removed with what is in it when disposed.</summary>
internal sealed class PrivateFolder : IDisposable
{
    private const int LongestSocketPath = 107; // struct sockaddr_un has 108 bytes

    private PrivateFolder(string path)
    {
        Path = path;
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Where the socket goes.</summary>
    public string SocketPath => Path + "/socket";

    /// <summary>Where the command's .NET runtime finds us: the shim looks beside the socket.</summary>
    public string RuntimePortPath => Path + "/dotnet";

    /// <summary>Makes a folder under XDG_RUNTIME_DIR, TMPDIR or /tmp, the first that will do.</summary>
    /// <exception cref="IOException">None of them will.</exception>
    public static PrivateFolder Create() => Create(
        Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR"), Environment.GetEnvironmentVariable("TMPDIR"), "/tmp");

    /// <summary>Makes a folder under the first of the given ones where that can be done and a socket's path is short
    /// enough.</summary>
    /// <exception cref="IOException">None of them will do.</exception>
    public static PrivateFolder Create(params string?[] parents)
    {
        var problem = "no folder is named";
        foreach (var parent in parents.OfType<string>().Where(parent => parent.StartsWith('/')))
        {
            var template = parent.TrimEnd('/') + "/nativeheap-XXXXXX";
            if (Encoding.UTF8.GetByteCount(template + "/socket") > LongestSocketPath)
            {
                problem = $"{parent} is too long for a socket's path";
            }
            else if (Libc.MakeFolder(template) is { } made)
            {
                return new PrivateFolder(made);
            }
            else
            {
                problem = $"{parent}: {Libc.ErrorText}";
            }
        }
        throw new IOException("cannot make a folder for the socket: " + problem);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Somebody else cleaned up, or took it away from us; nothing is lost.
        }
    }
}
