using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Journal;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository;

public static class RepositoryServices
{
    /// <summary>Adds <see cref="BackupRepository"/> over the registered store, the store's check and the encryption's.</summary>
    public static IServiceCollection AddRepository(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<RepositoryOptions>().Bind(configuration.GetSection(RepositoryOptions.Section));
        services.AddSingleton<IRepositoryCheck, StoreCheck>();
        services.AddSingleton<IRepositoryCheck>(provider => new EncryptionCheck(
            provider.GetRequiredService<IObjectStore>(), provider.GetRequiredService<IOptions<RepositoryOptions>>().Value.Encryption.Keyring()));
        services.TryAddSingleton(AgentIdentity.OfThisProcess(Environment.MachineName));
        services.TryAddSingleton(AdoptionConsent.None);
        services.AddSingleton<WriterLeases>();
        services.AddSingleton<JobJournal>();
        return services.AddSingleton(provider => new BackupRepository(
            provider.GetRequiredService<IObjectStore>(),
            provider.GetRequiredService<IOptions<RepositoryOptions>>().Value,
            provider.GetRequiredService<TimeProvider>()));
    }

    /// <summary>Adds when what is stored is read back.</summary>
    public static IServiceCollection AddVerification(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<VerificationOptions>().Bind(configuration.GetSection(VerificationOptions.Section));
        return services;
    }
}
