namespace NativeHeap.Wire;

/// <summary>
/// The part of a region through which a copy of a process hands its memory over. What comes is the target's word, as its
/// memory is. Does not own the memory. Safe from several threads, one request after the other.
/// </summary>
public sealed unsafe class CopyWindow
{
    /// <summary>Bytes from its start to its end.</summary>
    public const ulong WholeBytes = WireConstants.CopyDataOffset + WireConstants.CopyDataBytes;

    private const int LookAgainMs = 100;

    private readonly CopyWindowRecord* _window;
    private readonly byte* _data;
    private readonly TimeSpan _patience;
    private readonly Lock _turn = new();
    private bool _isGone;

    /// <summary>A window that is mapped.</summary>
    /// <param name="start">At <see cref="WholeBytes"/> bytes, which stay mapped while it is used.</param>
    /// <param name="patience">How long an answer may take; a copy that takes longer is asked no more.</param>
    public CopyWindow(byte* start, TimeSpan patience)
    {
        _window = (CopyWindowRecord*)start;
        _data = start + WireConstants.CopyDataOffset;
        _patience = patience;
    }

    /// <summary>Whether a copy has failed to answer.</summary>
    public bool IsGone => Volatile.Read(ref _isGone);

    /// <summary>Asks for memory.</summary>
    /// <param name="address">Of the first byte.</param>
    /// <param name="destination">Gets it.</param>
    /// <returns>Bytes that were got from <paramref name="address"/> on.</returns>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var part = destination[done..];
            var wanted = (int)Math.Min((uint)part.Length, WireConstants.CopyDataBytes);
            var given = Ask(CopyRequest.Memory, address + (ulong)done, part[..wanted]);
            done += given;
            if (given < wanted)
            {
                break;
            }
        }

        return done;
    }

    /// <summary>Asks for the next part of /proc/self/maps.</summary>
    /// <param name="isFirst">Whether to begin at its start.</param>
    /// <param name="destination">Gets it; of <see cref="WireConstants.CopyDataBytes"/>.</param>
    /// <returns>Its bytes; 0 at the end.</returns>
    public int ReadMappings(bool isFirst, Span<byte> destination) =>
        Ask(CopyRequest.Mappings, isFirst ? 0UL : 1, destination);

    /// <summary>Has the copy end.</summary>
    public void End() => Ask(CopyRequest.End, 0, []);

    private int Ask(CopyRequest kind, ulong address, Span<byte> destination)
    {
        lock (_turn)
        {
            if (_isGone)
            {
                return 0;
            }

            _window->Kind = (uint)kind;
            _window->Address = address;
            _window->Bytes = (ulong)destination.Length;
            _window->Given = 0;
            var number = _window->Wanted + 1;
            Volatile.Write(ref _window->Wanted, number);
            Futex.WakeAll(&_window->Wanted);
            if (!IsAnswered(number))
            {
                Volatile.Write(ref _isGone, true);
                return 0;
            }

            var given = (int)Math.Min(_window->Given, (ulong)destination.Length);
            new ReadOnlySpan<byte>(_data, given).CopyTo(destination);
            return given;
        }
    }

    private bool IsAnswered(uint number)
    {
        var began = Environment.TickCount64;
        while (true)
        {
            var done = Volatile.Read(ref _window->Done);
            if (done == number)
            {
                return true;
            }

            if (Environment.TickCount64 - began > _patience.TotalMilliseconds)
            {
                return false;
            }

            Futex.WaitWhile(&_window->Done, done, LookAgainMs);
        }
    }
}
