using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>
/// libpq's rules: the chain is checked as soon as a root certificate is configured, whatever the mode; the name only by verify-full.
/// </summary>
internal sealed class ServerCertificateCheck(ConnectionSettings settings)
{
    /// <summary>What was wrong, and what to do, once a certificate was refused.</summary>
    public string? Complaint { get; private set; }

    public bool Accepts(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null)
        {
            return Refuse("the server showed no certificate.");
        }

        if (settings.RootCertificatePath is not { } roots)
        {
            return true;
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
        {
            var reasons = string.Join(", ", chain?.ChainStatus.Select(status => status.Status) ?? []);
            return Refuse($"its certificate '{certificate.Subject}' is not trusted by '{roots}' ({reasons}). Configure the root that signed it.");
        }

        using var copy = new X509Certificate2(certificate);
        return settings.SslMode != SslMode.VerifyFull || copy.MatchesHostname(settings.Host)
            || Refuse($"its certificate '{certificate.Subject}' is not for the host '{settings.Host}'. Connect by a name that it carries, or issue it for this one.");
    }

    private bool Refuse(string complaint)
    {
        Complaint = complaint;
        return false;
    }
}
