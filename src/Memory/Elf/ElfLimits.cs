namespace NativeHeap.Memory.Elf;

/// <summary>The most that is read of a file nobody vouches for. Beyond a limit a part counts as absent.</summary>
internal static class ElfLimits
{
    internal const int ProgramHeaders = 1024;
    internal const int CoreSegments = 0xfffe; // one for each mapping; more need a number of another kind (PN_XNUM)
    internal const int Sections = 1 << 18;
    internal const int DynamicEntries = 4096;
    internal const int Notes = 64;
    internal const int NoteBytes = 1 << 16;
    internal const int PathBytes = 4096;
    internal const int NameBytes = 1 << 16;
    internal const int BuildIdBytes = 64;
    internal const int Symbols = 1 << 24;
}
