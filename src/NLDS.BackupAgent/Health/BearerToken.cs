using System.Security.Cryptography;
using System.Text;

namespace NLDS.BackupAgent.Health;

/// <summary>Whether a request may see the status: where no token is set everybody may, and who can reach the port is the network's to decide.</summary>
internal static class BearerToken
{
    private const string Scheme = "Bearer ";

    public static bool Admits(string? token, string? authorization) =>
        token is not { Length: > 0 }
        || (authorization?.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) == true
            && CryptographicOperations.FixedTimeEquals(
                SHA256.HashData(Encoding.UTF8.GetBytes(authorization[Scheme.Length..].Trim())), SHA256.HashData(Encoding.UTF8.GetBytes(token))));
}
