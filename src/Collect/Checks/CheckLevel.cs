namespace NativeHeap.Collect.Checks;

/// <summary>At which moment of a process's end its heap is checked.</summary>
public enum CheckLevel
{
    /// <summary>Before exit handlers and destructors.</summary>
    Normal,

    /// <summary>After them.</summary>
    Strict,

    /// <summary>After them, and everything that was not freed is a leak.</summary>
    Draconian,
}
