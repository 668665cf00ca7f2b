using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

public sealed class RestoreTargetTests
{
    [Fact]
    public void Nothing_and_latest_are_the_end_of_the_archive()
    {
        RestoreTarget.Parse(null).ShouldBeOfType<RestoreTarget.Latest>();
        RestoreTarget.Parse("latest").ShouldBeOfType<RestoreTarget.Latest>();
    }

    [Theory]
    [InlineData("2026-11-23T14:03:17Z", "2026-11-23T14:03:17.0000000Z")]
    [InlineData("2026-11-23T14:03Z", "2026-11-23T14:03:00.0000000Z")]
    [InlineData("2026-11-23T14:03:17.123456Z", "2026-11-23T14:03:17.1234560Z")]
    [InlineData("2026-11-23 14:03:17.123456+00", "2026-11-23T14:03:17.1234560Z")]
    [InlineData("2026-11-23T14:03:17+01:00", "2026-11-23T13:03:17.0000000Z")]
    [InlineData("2026-11-23T14:03:17-0530", "2026-11-23T19:33:17.0000000Z")]
    [InlineData("2026-11-23 14:03:17 +02:00", "2026-11-23T12:03:17.0000000Z")]
    public void A_time_with_an_offset_is_that_moment(string text, string utc) =>
        RestoreTarget.Parse(text).ShouldBeOfType<RestoreTarget.AtTime>().Time.UtcDateTime.ToString("O").ShouldBe(utc);

    [Theory]
    [InlineData("2026-11-23T14:03:17")]
    [InlineData("2026-11-23 14:03")]
    public void A_time_without_an_offset_is_refused_with_one_that_works(string text)
    {
        var message = Should.Throw<UsageException>(() => RestoreTarget.Parse(text)).Message;
        message.ShouldContain("no offset");
        message.ShouldContain(text + "Z");
        RestoreTarget.Parse(text + "Z").ShouldBeOfType<RestoreTarget.AtTime>();
    }

    [Theory]
    [InlineData("yesterday")]
    [InlineData("13am")]
    [InlineData("2026-11-23")]
    [InlineData("2026-11-23Z")]
    [InlineData("23.11.2026 14:03Z")]
    [InlineData("2026-13-23T14:03:17Z")]
    [InlineData("2026-11-23T25:03:17Z")]
    [InlineData("name:")]
    [InlineData("0/")]
    [InlineData("")]
    [InlineData("1234567890/0")]
    public void Anything_else_is_refused_with_what_to_write(string text) =>
        Should.Throw<UsageException>(() => RestoreTarget.Parse(text)).Message.ShouldContain("0/5A3C1F8");

    [Fact]
    public void A_position_and_a_name_are_taken_as_they_are()
    {
        RestoreTarget.Parse("16/B374D848").ShouldBe(new RestoreTarget.AtPosition(new Lsn(0x16B374D848)));
        RestoreTarget.Parse("name:before upgrade: 2").ShouldBe(new RestoreTarget.AtName("before upgrade: 2"));
    }
}
