using System.Runtime.InteropServices;

namespace NativeHeap.Cli;

/// <summary>SIGINT, SIGTERM and SIGHUP ask the command to end in order, from here on until this is disposed of: what it holds
/// must be let go, and traces must be closed.</summary>
internal sealed class EndingSignals : IDisposable
{
    private readonly Lock _gate = new();
    private readonly PosixSignalRegistration[] _registrations;
    private Action? _stop;
    private int _early; // came while nobody was there to be asked

    public EndingSignals()
    {
        PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        _registrations = [.. signals.Select(signal => PosixSignalRegistration.Create(signal, Ask))];
    }

    /// <summary>Who is to be asked, each time; at once if a signal has come already.</summary>
    /// <param name="stop">Called on any thread.</param>
    /// <returns>Nobody is asked any more once it is disposed of.</returns>
    public IDisposable Ask(Action stop)
    {
        lock (_gate)
        {
            _stop = stop;
            for (; _early > 0; _early--)
            {
                stop();
            }
        }
        return new Asked(this);
    }

    public void Dispose() => Array.ForEach(_registrations, registration => registration.Dispose());

    private void Ask(PosixSignalContext context)
    {
        context.Cancel = true;
        lock (_gate)
        {
            if (_stop is { } stop)
            {
                stop();
            }
            else
            {
                _early++;
            }
        }
    }

    private sealed class Asked(EndingSignals signals) : IDisposable
    {
        public void Dispose()
        {
            lock (signals._gate)
            {
                signals._stop = null;
            }
        }
    }
}
