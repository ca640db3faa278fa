using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeHeap.Model;

/// <summary>A growing array in unmanaged memory, so that millions of items cost the garbage collector nothing.
/// References into it die when it grows. For one thread; whoever made it disposes it.</summary>
public sealed unsafe class NativeList<T> : IDisposable
    where T : unmanaged
{
    private T* _items;
    private int _capacity;

    /// <summary>An empty list.</summary>
    /// <param name="capacity">Room for so many to begin with.</param>
    public NativeList(int capacity = 16)
    {
        _capacity = Math.Max(capacity, 1);
        _items = (T*)NativeMemory.Alloc((nuint)_capacity, (nuint)sizeof(T));
    }

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>An item by its place.</summary>
    public ref T this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _items[index];
    }

    /// <summary>The first item.</summary>
    public T* Pointer => _items;

    /// <summary>All items; dies when the list grows.</summary>
    public ReadOnlySpan<T> Items => new(_items, Count);

    /// <summary>Appends and returns the item's index.</summary>
    public int Add(in T item)
    {
        if (Count == _capacity)
        {
            _capacity = checked(_capacity * 2);
            _items = (T*)NativeMemory.Realloc(_items, (nuint)_capacity * (nuint)sizeof(T));
        }

        _items[Count] = item;
        return Count++;
    }

    /// <summary>Puts an item before the one at an index; later ones move up.</summary>
    public void Insert(int index, in T item)
    {
        Add(item);
        for (var i = Count - 1; i > index; i--)
        {
            (_items[i], _items[i - 1]) = (_items[i - 1], _items[i]);
        }
    }

    /// <summary>Takes the first items away; later ones move down.</summary>
    public void RemoveFirst(int count)
    {
        new ReadOnlySpan<T>(_items + count, Count - count).CopyTo(new Span<T>(_items, Count - count));
        Count -= count;
    }

    /// <summary>Keeps the first items only.</summary>
    public void Cut(int count) => Count = count;

    /// <summary>Takes the last item off.</summary>
    /// <returns>False when there is none.</returns>
    public bool TryTakeLast(out T item)
    {
        if (Count == 0)
        {
            item = default;
            return false;
        }

        item = _items[--Count];
        return true;
    }

    /// <summary>Takes all items away.</summary>
    public void Clear() => Count = 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_items);
        _items = null;
        Count = _capacity = 0;
    }
}
