namespace NativeHeap.Collect.Diagnosis;

/// <summary>How a finding bears on profiling.</summary>
public enum FindingState
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>Worth knowing; profiling works.</summary>
    Note,

    /// <summary>Profiling will not work.</summary>
    Fails,
}

/// <summary>Something that profiling depends on, as it is found here and now.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="State">How it bears on profiling.</param>
/// <param name="Detail">What was found.</param>
/// <param name="Cure">What to do about it; null when there is nothing to do.</param>
public sealed record Finding(string Name, FindingState State, string Detail, string? Cure = null)
{
    /// <summary>Something is as it should be.</summary>
    public static Finding Ok(string name, string detail) => new(name, FindingState.Ok, detail);

    /// <summary>Something is worth knowing.</summary>
    public static Finding Note(string name, string detail, string? cure = null) =>
        new(name, FindingState.Note, detail, cure);

    /// <summary>Something prevents profiling.</summary>
    public static Finding Fails(string name, string detail, string? cure = null) =>
        new(name, FindingState.Fails, detail, cure);
}
