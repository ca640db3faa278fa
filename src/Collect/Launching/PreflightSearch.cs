using NativeHeap.Memory;

namespace NativeHeap.Collect.Launching;

/// <summary>Finds the file that execvp(3) would start.</summary>
internal static class PreflightSearch
{
    private const string DefaultSearchPath = "/bin:/usr/bin"; // as glibc and the launcher have it

    /// <summary>The path of the command's file; relative only if the command or its folder in PATH is.</summary>
    /// <param name="name">The command's first word.</param>
    /// <param name="searchPath">PATH; null when it is not set.</param>
    /// <param name="workingDirectory">Where relative paths start.</param>
    /// <returns>The path and its status; a null status with the reason in <c>Problem</c>.</returns>
    internal static Found Find(string name, string? searchPath, string workingDirectory)
    {
        if (name.Length == 0)
        {
            return new Found(name, null, "the command's name is empty");
        }

        if (name.Contains('/', StringComparison.Ordinal))
        {
            return Look(name, workingDirectory) is { } status
                ? new Found(name, status, null)
                : new Found(name, null, $"'{name}' does not exist; check the path");
        }

        Found? refused = null;
        foreach (var folder in (searchPath ?? DefaultSearchPath).Split(':'))
        {
            var path = folder.Length == 0 ? "./" + name : folder + "/" + name;
            if (Look(path, workingDirectory) is not { } status)
            {
                continue;
            }

            var found = new Found(path, status, null);
            if (status.Kind == FileKind.Regular && FileStatus.MayExecute(Path.Combine(workingDirectory, path)))
            {
                return found;
            }

            // execve says EACCES, and the search goes on; what was found first is reported if nothing else is.
            refused ??= found;
        }

        return refused ?? new Found(name, null, $"'{name}' is not in PATH; check the spelling or give its path");
    }

    private static FileStatus? Look(string path, string workingDirectory) =>
        FileStatus.TryRead(Path.Combine(workingDirectory, path), out _);

    /// <summary>What a search came to.</summary>
    internal readonly record struct Found(string Path, FileStatus? Status, string? Problem);
}
