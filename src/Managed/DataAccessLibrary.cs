using NativeHeap.Memory;

namespace NativeHeap.Managed;

/// <summary>
/// The library by which ClrMD understands a runtime's memory. It stands beside the runtime, in every framework, and is loaded into
/// this process: from a place that another user chose it is not.
/// </summary>
internal static class DataAccessLibrary
{
    private const string Name = "libmscordaccore.so";

    /// <summary>Where it is.</summary>
    /// <param name="runtime">The runtime's file.</param>
    /// <param name="process">Who runs it, in our pid namespace; null: nobody does, it was named by a core.</param>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    /// <exception cref="UnauthorizedAccessException">Somebody else than root and ourselves may have put it there, and whoever runs
    /// it is somebody else, too.</exception>
    public static string Find(string? runtime, int? process)
    {
        var library = Path.Combine(Path.GetDirectoryName(runtime) ?? "", Name);
        if (!File.Exists(library))
        {
            throw new FileNotFoundException($"{library} is missing; it belongs to the runtime's package");
        }
        return process is { } pid && TrustedPath.IsOfOurUser(pid) || TrustedPath.Problem(library) is not { } problem
            ? library
            : throw new UnauthorizedAccessException($"{library} is not loaded, for another user may have put it there: {problem}");
    }
}
