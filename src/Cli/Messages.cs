namespace NativeHeap.Cli;

/// <summary>
/// What is said to the person at the terminal: on stderr, each line with a prefix, so that it can be told from the
/// target's own words. A closed or full stderr is not an error. Any thread.
/// </summary>
internal static class Messages
{
    private const string Prefix = "nativeheap: ";

    /// <summary>True when a person sees stderr at once, so that progress is worth showing.</summary>
    public static bool IsTerminal => !Console.IsErrorRedirected;

    /// <summary>Says something; a text of several lines gets the prefix on each.</summary>
    public static void Say(string text) => Write(Prefix, text);

    /// <summary>Says that something is not as it should be, while the work goes on.</summary>
    public static void Warn(string text) => Write(Prefix + "warning: ", text);

    /// <summary>Says why the work could not be done.</summary>
    public static void Error(string text) => Write(Prefix + "error: ", text);

    private static void Write(string prefix, string text)
    {
        // One write for all of it: the target may be writing to the same terminal.
        var lines = string.Concat(text.TrimEnd('\n').Split('\n').Select(line => prefix + line + "\n"));
        try
        {
            Console.Error.Write(lines);
            Console.Error.Flush();
        }
        catch (IOException)
        {
            // There is nobody left to tell.
        }
    }
}
