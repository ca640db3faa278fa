using System.Globalization;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>A collector at a place where another one has listened before it.</summary>
internal sealed class Successor : IDisposable
{
    private readonly string _errors;

    private Successor(Listening collector, string errors)
    {
        Collector = collector;
        _errors = errors;
    }

    public Listening Collector { get; }

    /// <summary>What it has said up to now.</summary>
    public string Said => File.ReadAllText(_errors);

    /// <summary>Starts one and waits until it listens.</summary>
    public static Successor Start(TempFolder folder, params string[] options)
    {
        var errors = folder.Write($"{Guid.NewGuid():N}.err", "");
        var around = new Surroundings { Wrapper = ["/bin/sh", "-c", $"exec \"$@\" 2>>{errors}", "sh"] };
        return new Successor(Listening.Start(folder, around, options), errors);
    }

    /// <summary>Waits until it has taken a process over.</summary>
    /// <returns>What it says of that.</returns>
    public string AwaitTakeover(int pid) => Await(string.Create(CultureInfo.InvariantCulture, $"took over process {pid} ("));

    /// <summary>Waits until it says something.</summary>
    /// <returns>The line.</returns>
    public string Await(string words)
    {
        Listening.WaitUntil(() => Line(words) is not null, $"it does not say '{words}'");
        return Line(words)!;
    }

    public void Dispose() => Collector.Dispose();

    private string? Line(string words) => Said.Split('\n')[..^1].FirstOrDefault(line => line.Contains(words, StringComparison.Ordinal));
}
