namespace NativeHeap.Cli;

/// <summary>A picture in the terminal that is drawn again and again.</summary>
internal interface ITopView : IDisposable
{
    /// <summary>Which lines stand out.</summary>
    IReadOnlyList<int> Headings { get; }

    /// <summary>Lines to ask for where nobody scrolls.</summary>
    int LinesWithoutTerminal { get; }

    /// <summary>Looks, and draws what is seen.</summary>
    /// <param name="width">Columns, at least 40.</param>
    /// <param name="height">Lines, at least 10; no more are given, and the last one tells the keys.</param>
    IReadOnlyList<string> Draw(int width, int height);

    /// <summary>A key was pressed.</summary>
    void Take(char key);
}
