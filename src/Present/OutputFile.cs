using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>A file that we write: it is there whole or not at all.</summary>
public sealed class OutputFile
{
    private OutputFile(string path) => Path = path;

    /// <summary>Where it goes.</summary>
    public string Path { get; }

    /// <summary>Checks a name before any work is done for it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="force">An existing file may be replaced.</param>
    /// <exception cref="ToolException">A file that exists, or no such folder (exit code 2).</exception>
    public static OutputFile Plan(string path, bool force)
    {
        if (Directory.Exists(path))
        {
            throw new ToolException($"{path} is a folder", ExitCodes.Usage);
        }
        if (!force && File.Exists(path))
        {
            throw new ToolException($"{path} exists; --force replaces it", ExitCodes.Usage);
        }
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        return Directory.Exists(folder)
            ? new OutputFile(path)
            : throw new ToolException($"there is no folder {folder}", ExitCodes.Usage);
    }

    /// <summary>Writes all of it.</summary>
    /// <param name="write">Given a stream that it leaves open.</param>
    /// <exception cref="ToolException">The file cannot be written (exit code 2); nothing is left of it.</exception>
    public void Write(Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        var part = $"{Path}.{Environment.ProcessId}.part";
        try
        {
            using (var stream = new FileStream(part, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(stream);
            }
            File.Move(part, Path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ToolException($"{Path} cannot be written: {error.Message}", ExitCodes.Usage, error);
        }
        finally
        {
            File.Delete(part);
        }
    }
}
