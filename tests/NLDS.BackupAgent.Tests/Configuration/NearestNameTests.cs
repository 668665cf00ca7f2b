using NLDS.BackupAgent.Configuration;

namespace NLDS.BackupAgent.Tests.Configuration;

public sealed class NearestNameTests
{
    [Theory]
    [InlineData("Hots", "Host")]
    [InlineData("pasword", "Password")]
    [InlineData("FlushIntervall", "FlushInterval")]
    [InlineData("Temperature", null)]
    [InlineData("X", null)]
    public void The_closest_name_is_offered_when_it_is_close(string typed, string? expected) =>
        NearestName.Of(typed, ["Host", "Port", "Password", "FlushInterval"]).ShouldBe(expected);
}
