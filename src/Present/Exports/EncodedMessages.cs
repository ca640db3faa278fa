using Google.Protobuf;

namespace NativeHeap.Present.Exports;

/// <summary>
/// Messages of a repeated field, encoded as they are added: encoded they take a tenth of what they take as objects. Not for
/// several threads.
/// </summary>
internal sealed class EncodedMessages : IDisposable
{
    private readonly int _field;
    private readonly MemoryStream _bytes = new();
    private readonly CodedOutputStream _coded;

    /// <param name="field">The field's number in the message that holds it.</param>
    public EncodedMessages(int field)
    {
        _field = field;
        _coded = new CodedOutputStream(_bytes, leaveOpen: true);
    }

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of all, with their tags and lengths.</summary>
    public int Length => (int)_coded.Position;

    /// <summary>Adds one; it may be changed and added again.</summary>
    public void Add(IMessage message)
    {
        _coded.WriteTag(_field, WireFormat.WireType.LengthDelimited);
        _coded.WriteMessage(message);
        Count++;
    }

    /// <summary>Writes them, as part of a message that holds them.</summary>
    /// <param name="output">Where to.</param>
    public void WriteTo(Stream output)
    {
        _coded.Flush();
        _bytes.WriteTo(output);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _coded.Dispose();
        _bytes.Dispose();
    }
}
