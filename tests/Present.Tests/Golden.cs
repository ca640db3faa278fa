namespace NativeHeap.Present.Tests;

/// <summary>
/// Output as it was looked at and found good, in tests/golden. When a change is meant, run with UPDATE_GOLDEN set to
/// that folder and look at the difference.
/// </summary>
internal static class Golden
{
    public static void Same(string name, string actual)
    {
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") is { Length: > 0 } folder)
        {
            File.WriteAllText(Path.Combine(folder, name), actual);
        }

        Assert.Equal(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "golden", name)), actual);
    }
}
