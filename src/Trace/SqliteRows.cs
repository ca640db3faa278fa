using System.Runtime.InteropServices;

namespace NativeHeap.Trace;

/// <summary>
/// The three calls of SQLite that reading a row takes, without the counting of references that each call through a
/// SafeHandle costs: of millions of rows that was more than half of the time. Statements must be alive meanwhile.
/// </summary>
internal static partial class SqliteRows
{
    private const string Library = "e_sqlite3"; // the one that SQLitePCLRaw loads

    /// <summary>Moves to the next row (sqlite3_step).</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_step")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    public static partial int Step(nint statement);

    /// <summary>The type of a value (sqlite3_column_type).</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_column_type")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    [SuppressGCTransition]
    public static partial int ColumnType(nint statement, int column);

    /// <summary>A number (sqlite3_column_int64).</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_column_int64")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    [SuppressGCTransition]
    public static partial long ColumnInt64(nint statement, int column);
}
