using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Tests;

public sealed class RedisOptionsTests
{
    [Theory]
    [InlineData(null, null, false)]
    [InlineData("redis", null, true)]
    [InlineData("redis", "false", false)]
    [InlineData(null, "true", true)]
    public void A_server_that_was_named_is_protected_unless_it_is_said_otherwise(string? host, string? enabled, bool expected) =>
        Bind(("Redis:Host", host), ("Redis:Enabled", enabled)).Enabled.ShouldBe(expected);

    [Fact]
    public void Every_fault_is_named_at_once()
    {
        var options = Bind(
            ("Redis:Enabled", "true"), ("Redis:Port", "0"), ("Redis:Username", "somebody"), ("Redis:ClientKey", "/key.pem"), ("Redis:Stream:FlushInterval", "00:00:00.001"),
            ("Redis:Stream:FlushBytes", "1"), ("Redis:Stream:BaseRatio", "0"), ("Redis:Stream:BaseBytes", "1"), ("Redis:Snapshot:SaveTimeout", "00:00:01"), ("Redis:Snapshot:Directory", "relative"));

        var faults = options.Validate(new ValidationContext(options)).Select(fault => fault.ErrorMessage!).ToList();

        foreach (var key in new[] { "Host", "Port", "Username", "ClientCertificate", "FlushInterval", "FlushBytes", "BaseRatio", "BaseBytes", "SaveTimeout", "Snapshot:Directory" })
        {
            faults.ShouldContain(fault => fault.Contains("Redis:") && fault.Contains(key), key);
        }
    }

    [Fact]
    public void What_is_off_has_no_faults()
    {
        var options = Bind(("Redis:Enabled", "false"), ("Redis:Port", "0"));

        options.Validate(new ValidationContext(options)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("Stream", 1)]
    [InlineData("Snapshot", 0)]
    public void Only_a_stream_is_tailed(string mode, int tails)
    {
        var services = new ServiceCollection().AddRedis(Configuration(("Redis:Mode", mode)));

        services.Count(service => service.ServiceType == typeof(ISnapshotSource)).ShouldBe(1);
        services.Count(service => service.ServiceType == typeof(IContinuousSource)).ShouldBe(tails);
    }

    private static RedisOptions Bind(params (string Key, string? Value)[] settings) => Configuration(settings).GetSection("Redis").Get<RedisOptions>() ?? new RedisOptions();

    private static IConfigurationRoot Configuration(params (string Key, string? Value)[] settings) => new ConfigurationBuilder()
        .AddInMemoryCollection(settings.Where(s => s.Value is not null).Select(s => KeyValuePair.Create(s.Key, s.Value)))
        .Build();
}
