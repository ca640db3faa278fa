using NativeHeap.Collect.Sessions;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Symbols;
using Profile = NativeHeap.Analysis.Profile;

namespace NativeHeap.Cli;

/// <summary>What <c>top -p</c> shows of one process, and what the keys have changed.</summary>
internal sealed class WatchedProcess : ITopView
{
    private readonly int _pid;
    private readonly string _trace;
    private readonly NativeSymbolizer _symbolizer = new();
    private readonly RememberingSymbolizer _names;
    private readonly LiveCode _code;
    private TopOrder _order = TopOrder.Live;
    private bool _isFrozen;
    private string? _message;
    private TopLook? _look;
    private TopLook? _before;
    private long _lookedMs;
    private double _seconds;

    /// <param name="pid">A pid of the trace.</param>
    /// <param name="trace">A trace that is being written.</param>
    public WatchedProcess(int pid, string trace)
    {
        _pid = pid;
        _trace = trace;
        _code = new LiveCode(pid);
        _names = new RememberingSymbolizer(_symbolizer);
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Headings { get; } = [0, 5];

    /// <inheritdoc/>
    public int LinesWithoutTerminal => 24;

    /// <inheritdoc/>
    public IReadOnlyList<string> Draw(int width, int height)
    {
        if (!_isFrozen || _look is null || _look.Order != _order)
        {
            Look(height);
        }
        if (_look is null)
        {
            return [$"process {_pid} is not in the trace yet"];
        }
        return TopScreen.Draw(_look, _before, _seconds, _message ?? (_isFrozen ? "frozen; space goes on" : null), width, height);
    }

    /// <inheritdoc/>
    public void Take(char key)
    {
        _message = null;
        switch (key)
        {
            case 'l':
                _order = TopOrder.Live;
                break;
            case 'g':
                _order = TopOrder.Grown;
                break;
            case 'a':
                _order = TopOrder.Allocated;
                break;
            case 'p':
                _order = TopOrder.Peak;
                break;
            case ' ':
                _isFrozen = !_isFrozen;
                break;
            case 's':
                TakeSnapshot();
                break;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _names.Dispose();
        _symbolizer.Dispose();
    }

    private void Look(int height)
    {
        using var profile = Profile.Open(_trace, () => _names, _code);
        var look = TopLook.Take(profile, _pid, _order, Math.Max(1, height - TopScreen.OtherLines));
        var now = Environment.TickCount64;
        _before = _look;
        _seconds = (now - _lookedMs) / 1000.0;
        _lookedMs = now;
        _look = look;
    }

    private void TakeSnapshot()
    {
        try
        {
            _message = $"snapshot {ControlClient.TakeSnapshot(_pid, null).Name} taken";
        }
        catch (ToolException error)
        {
            _message = error.Message;
        }
    }
}
