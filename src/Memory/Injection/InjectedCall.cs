namespace NativeHeap.Memory.Injection;

/// <summary>A call that another process is to make.</summary>
/// <param name="Library">Path of a shared library, as that process sees it; it stays loaded unless it can be unloaded.</param>
/// <param name="Function">Its function <c>int f(const char *)</c>.</param>
/// <param name="Argument">The text it gets; with the names at most 7,000 bytes of UTF-8.</param>
public sealed record InjectedCall(string Library, string Function, string Argument)
{
    /// <summary>Whether the process has that library; where it has not, nothing is loaded.</summary>
    public bool IsLoaded { get; init; }
}

/// <summary>How a call in another process went.</summary>
public enum InjectionOutcome
{
    /// <summary>The function was called and has returned.</summary>
    Returned,

    /// <summary>Nothing was changed in the process: it cannot be traced, or no thread of it could make the call.</summary>
    Refused,

    /// <summary>The library could not be loaded, or has no such function; nothing else was changed.</summary>
    NotLoaded,

    /// <summary>The function, or loading the library, ran into a fault, which was kept from the process.</summary>
    Faulted,

    /// <summary>It did not return in time. The thread ends it by itself, and goes on then.</summary>
    Late,

    /// <summary>The process has ended.</summary>
    Ended,
}

/// <summary>What is known after an attempt to have a call made.</summary>
/// <param name="Outcome">How it went.</param>
/// <param name="Value">What the function returned; 0 when it did not.</param>
/// <param name="Problem">What went wrong, in a few words; null when it returned.</param>
/// <param name="LongestStop">The longest time for which a thread of the process was stopped, as seen from here.</param>
/// <param name="Busy">How long the thread that made the call was kept from its own work.</param>
public sealed record InjectionResult(
    InjectionOutcome Outcome, int Value, string? Problem, TimeSpan LongestStop, TimeSpan Busy);
