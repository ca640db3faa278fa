using SQLitePCL;

namespace NativeHeap.Trace;

/// <summary>
/// Ends a query that takes more steps than the file's size can justify. The pages of a damaged file may form circles, in
/// which SQLite would go round for as good as ever.
/// </summary>
internal sealed class WorkBudget
{
    private const int CheckEvery = 100_000; // instructions of SQLite's virtual machine
    private const long InstructionsPerByte = 16; // a scan takes about ten for a row, and a row five bytes at least
    private const long Overhead = 20_000_000;

    private readonly long _checks;
    private long _left;

    /// <param name="fileBytes">Bytes of the database and its journals.</param>
    public WorkBudget(long fileBytes)
    {
        _checks = ((fileBytes * InstructionsPerByte) + Overhead) / CheckEvery;
        Restart();
    }

    /// <summary>Gives the next query the whole budget.</summary>
    public void Restart() => _left = _checks;

    /// <summary>Holds the database's queries to this budget from now on.</summary>
    public void Install(sqlite3 database) =>
        raw.sqlite3_progress_handler(database, CheckEvery, _ => --_left < 0 ? 1 : 0, null);
}
