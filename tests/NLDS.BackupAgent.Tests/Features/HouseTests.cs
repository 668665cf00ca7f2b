using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Features;

/// <summary>The program as it is put together, not as the other tests put it together.</summary>
public sealed class HouseTests
{
    private static readonly FeatureList House = Program.House();

    [Fact]
    public void The_settings_that_ship_want_only_a_place_for_the_backups()
    {
        using var agent = new AgentUnderTest();
        agent.Environment["Storage__Directory__Path"] = "/backups";
        var around = agent.Surroundings with { Place = agent.Place with { BinaryDirectory = Architecture.House.Root } };

        AgentConfiguration.Load(around, null, House, new SecretScrubber()).Agent.Urls.ShouldBe("http://127.0.0.1:9464");
    }

    [Fact]
    public void Every_schedule_is_where_the_feature_says()
    {
        foreach (var (feature, keys) in House.All.SelectMany(feature => feature.Schedules.Select(keys => (feature, keys))))
        {
            var options = Activator.CreateInstance(feature.Options)!;

            OptionPath.Read(options, keys.Cron).ShouldBeOfType<string>();
            if (keys.TimeZone is { } zone)
            {
                OptionPath.Read(options, zone).ShouldBeOfType<string>();
            }
        }
    }

    [Fact]
    public void No_section_source_or_job_is_there_twice()
    {
        House.All.Select(feature => feature.Section).ShouldBeUnique();
        House.Sources.Select(feature => feature.Source).ShouldBeUnique();
        House.Sources.SelectMany(feature => feature.Schedules).Select(keys => keys.Job).ShouldBeUnique();
    }
}
