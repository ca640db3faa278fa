using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>SafeHandles that own what they stand for, and that neither a Dispose nor a finalizer has closed.</summary>
public sealed class OpenSafeHandles : IObjectCondition
{
    private const string Base = "System.Runtime.InteropServices.SafeHandle";
    private const int ClosedOrDisposed = 3; // of _state (SafeHandle.cs of dotnet/runtime); above them is a count

    private readonly Dictionary<HeapType, (ClrInstanceField State, ClrInstanceField Owns)?> _fields = [];

    /// <inheritdoc/>
    public bool Holds(ManagedHeap heap, uint slot)
    {
        ArgumentNullException.ThrowIfNull(heap);
        var type = heap.TypeOf(slot);
        if (!_fields.TryGetValue(type, out var fields))
        {
            _fields.Add(type, fields = FieldsOf(type.Type));
        }

        if (fields is not { } known)
        {
            return false;
        }

        var bytes = heap.BytesOf(slot, type);
        return known.State.NumberIn(bytes) is { } state && ((long)state & ClosedOrDisposed) == 0
            && known.Owns.NumberIn(bytes) is not (null or 0);
    }

    private static (ClrInstanceField State, ClrInstanceField Owns)? FieldsOf(ClrType? type)
    {
        var ancestor = type;
        while (ancestor is not null && ancestor.Name != Base)
        {
            ancestor = ancestor.BaseType;
        }

        return ancestor?.GetFieldByName("_state") is { } state && ancestor.GetFieldByName("_ownsHandle") is { } owns ? (state, owns) : null;
    }
}
