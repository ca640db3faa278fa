namespace NativeHeap.Managed.Heaps;

/// <summary>Which objects of a heap are meant. For one thread.</summary>
public interface IObjectCondition
{
    /// <summary>Whether an object is.</summary>
    /// <param name="heap">All objects.</param>
    /// <param name="slot">Of the object.</param>
    bool Holds(ManagedHeap heap, uint slot);
}
