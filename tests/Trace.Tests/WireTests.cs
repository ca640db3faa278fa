using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Trace.Tests;

public sealed class WireTests
{
    [Fact]
    public void Every_marker_of_the_wire_is_known_by_its_value()
    {
        foreach (var marker in Enum.GetValues<Marker>())
        {
            var name = Enum.IsDefined((EntryPoint)(int)marker)
                ? "Entry" + (EntryPoint)(int)marker
                : ((StackMarker)(int)marker).ToString();
            Assert.Equal(marker.ToString(), name, ignoreCase: true);
        }
    }
}
